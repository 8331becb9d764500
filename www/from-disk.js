// @ts-check
// Says what to do where the page was opened as a file: browsers refuse it its modules then, the
// languages' files among them. A classic script, which they do run.
(() => {
  if (location.protocol !== 'file:') return;
  const texts = {
    en: 'This page was opened from the disk, where browsers do not let it load its program. Serve its folder and open the address that the server prints, for example: python3 -m http.server',
    de: 'Diese Seite wurde von der Festplatte geöffnet; dort lassen Browser sie ihr Programm nicht laden. Stelle ihren Ordner mit einem Webserver bereit und öffne die Adresse, die er nennt, zum Beispiel: python3 -m http.server',
  };
  const lang = navigator.language.toLowerCase().startsWith('de') ? 'de' : 'en';
  addEventListener('DOMContentLoaded', () => {
    const said = document.createElement('p');
    said.id = 'from-disk';
    said.lang = lang;
    said.setAttribute('role', 'alert');
    said.textContent = texts[lang];
    // Nothing else works.
    for (const part of document.querySelectorAll('main, footer, #language-label')) part.remove();
    (document.querySelector('header') ?? document.body).append(said);
  });
})();
