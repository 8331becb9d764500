// @ts-check
// Every text of the page in German: the keys and `{names}` of en.js.

/** @type {import('./en.js').Strings} */
export const strings = {
  locale: 'de',
  page: {
    title: 'Sightline: Was hat es gesehen, und wohin hat es geschaut?',
    description: 'Sieh im Browser, was ein Bildklassifikator in deinem Foto erkennt und wohin er dafür geschaut hat.',
    language: 'Sprache',
    lead: 'Was sieht ein Bildklassifikator in einem Foto, und wohin hat er geschaut? Helle Farben zeigen, was für die gewählte Klasse spricht. Alles wird auf deinem Gerät berechnet; kein Foto verlässt es.',
    dismiss: 'Schließen',
    photo: 'Foto',
    pick: 'Foto auswählen',
    pickHint: 'oder irgendwo ablegen oder einfügen',
    fromLink: 'Ein Bild über seinen Link',
    photoUrl: 'Link zu einem Bild',
    photoGo: 'Holen',
    fromLinkHint:
      'Oder füge einen Link ein oder lege ihn hier ab. Wird ein Bild geholt, erfährt dessen Host, dass es angefragt wurde; erklärt wird es hier.',
    noPhoto: 'Noch kein Foto',
    pointHint: 'Die Pfeiltasten bewegen einen Punkt über die Karte; sein Wert wird angesagt.',
    working: 'In Arbeit',
    stop: 'Hier aufhören',
    cancel: 'Abbrechen',
    colourScale: 'Farbskala',
    strip: 'Dasselbe in jeder Schicht, von flach bis tief; wähle eine',
    look: 'Wie die Karte gemalt wird',
    opacity: 'Deckkraft',
    colours: 'Farben',
    scale: 'Skala',
    scalePositive: 'für die Klasse',
    scaleSymmetric: 'dafür und dagegen',
    cells: 'Zellen',
    cellsSmooth: 'geglättet',
    cellsAsComputed: 'wie berechnet',
    contours: 'Höhenlinien',
    contoursNone: 'keine',
    contours3: '3 Stufen',
    contours5: '5 Stufen',
    contours9: '9 Stufen',
    largest: 'Nur die größten Werte: {1}',
    largestAll: 'alle',
    only: '{1} Nur das Foto dort',
    outline: '{1} Zeigen, was das Modell sah',
    saveAs: 'Speichern',
    saveOverlay: 'Karte über dem Foto (PNG)',
    saveHeatmap: 'Karte allein (PNG)',
    saveComparison: 'Foto und Karte nebeneinander (PNG)',
    saveNpy: 'Werte für numpy (.npy)',
    saveJson: 'Attribution (JSON)',
    save: 'Speichern',
    copyLink: 'Link kopieren',
    linkHint: 'Zu diesem Bild mit allen Einstellungen; ein eigenes Foto ist nicht darin.',
    samples: 'Beispielfotos',
    embed: 'Auf der eigenen Seite zeigen',
    result: 'Was es sah',
    predictions: 'Die wahrscheinlichsten Klassen; wähle eine, um zu sehen, wohin das Modell für sie geschaut hat',
    addsUp: 'Geht die Karte auf?',
    heads: 'Köpfe',
    headsHint: 'Was die Bewertung ohne jeden der {1} Aufmerksamkeitsköpfe des Modells verliert, und wohin der Kopf schaut.',
    headsGo: 'Köpfe ordnen',
    howToLook: 'Wie hinschauen',
    method: 'Methode',
    query:
      'Zeige auf einen Patch des Fotos, um zu sehen, wohin er schaut, oder gehe mit den Pfeiltasten dorthin; Esc führt zum ganzen Foto zurück.',
    question: 'Frage',
    questionClass: 'Warum diese Klasse?',
    questionContrast: 'Warum diese Klasse und nicht eine andere?',
    questionGroup: 'Warum eine von mehreren Klassen?',
    against: 'und nicht',
    group: 'mit',
    layer: 'Schicht',
    options: 'Optionen',
    model: 'Modell',
    openModel: 'Anderes Modell öffnen',
    modelUrl: 'Name beim Hub oder Adresse eines Ordners',
    lookUp: 'Suchen',
    modelFiles:
      'Oder lege die Dateien eines Modells auf der Seite ab oder wähle sie hier: {1} mit {2} oder mit einem PyTorch-State-Dict ({3}, {4}), oder ihren Ordner. Gewichte allein lassen sich öffnen, wenn ihre Tensoren die Architektur verraten. Bis zu 2,0 GB (500 Millionen Parameter); sie bleiben auf deinem Gerät.',
    pickModel: 'Dateien auswählen',
    offer: 'Modell zum Herunterladen',
    progress: 'Fortschritt',
    download: 'Herunterladen',
    notNow: 'Nicht jetzt',
    kept: 'Auf diesem Gerät aufbewahrte Modelle',
    keptNone: 'Noch keine. Ein heruntergeladenes Modell bleibt hier und öffnet sich dann ohne Verbindung.',
    device: 'Gerät',
    deviceAuto: 'automatisch',
    deviceWebgpu: 'WebGPU',
    deviceCpu: 'CPU',
    compare: 'Vergleichen',
    dropIt: 'Ablegen',
    newer: 'Eine neuere Version dieser Seite ist bereit.',
    useNow: 'Jetzt nutzen',
    network: 'Netz seit dem Laden',
    footer: 'Sightline {1}. Für Entwickler gibt es die {2}.',
    reference: 'API-Referenz',
  },
  samples: {
    'coffee.jpg': 'Ein Foto: eine Tasse Espresso auf einer roten Untertasse',
    'cat.jpg': 'Ein Foto: das Gesicht einer getigerten Katze',
    'ladybug.jpg': 'Eine Zeichnung: ein Marienkäfer auf einem Blatt',
    'school-bus.jpg': 'Eine Zeichnung: ein gelber Schulbus',
    'bananas.jpg': 'Eine Zeichnung: zwei Bananen',
    'rocket.jpg': 'Ein Foto: eine Rakete bei Nacht. Die eingebauten Modelle kennen keine Raketen',
  },
  credit: 'Bild: {credit}.',

  working: {
    model: 'Das Modell wird geöffnet',
    photo: 'Das Foto wird betrachtet',
    heads: 'Die Köpfe werden geordnet',
    method: '{method} wird berechnet',
    stages: {
      download: 'Das Modell wird geladen',
      wasm: 'Das Programm wird geladen',
      device: 'Das Gerät wird gestartet',
      weights: 'Die Gewichte werden geladen',
      picture: 'Das Bild wird geholt',
    },
  },
  fault: '{what} ({detail})',

  listSeparator: ', ',
  toDownload: 'Einmal herunterzuladen',
  allLayers: 'alle nebeneinander',
  layer: '{id} ({shape})',
  layerDefault: '{id} ({shape}), Vorgabe',
  modelFacts: '{architecture}, {classes} Klassen, {parameters} Millionen Parameter, {size}.\nSHA-256 {sha256}',
  modelFactsKept: '{architecture}, {classes} Klassen, {parameters} Millionen Parameter, {size}; Kopie vom {date}.\nSHA-256 {sha256}',
  runningOn: 'Läuft auf {device} ({description}): {reason}.',
  devices: { cpu: 'der CPU', webgpu: 'WebGPU' },
  openFirst: 'Öffne zuerst ein Modell',
  cannotShow: 'Dieser Browser kann das Bild nicht zeigen; speichere es als JPEG oder PNG',
  weightsMissing: '{file} allein ist kein Modell: Die Gewichte fehlen; lege beides zusammen ab',

  unfamiliar: 'Das Foto sieht keiner davon sehr ähnlich: Dieses Modell kennt nur diese {classes} Klassen und nennt zu jedem Bild eine.',
  facts: '{method}{about}{at}: {time} auf {device}, {forward} Vorwärts- und {backward} Rückwärtsdurchläufe. Bewertung ({score}) {value}.',
  about: ' für {target}',
  at: ' in {layer}',
  scores: { class: 'Logit', contrast: 'Differenz der Logits', group: 'logarithmierte Chance' },
  hardly: 'unter 0,01',
  addsUp: { score: 'Bewertung des Fotos', baseline: 'Bewertung des Vergleichsbilds', sum: 'Summe der Karte', delta: 'Rest' },

  speaks: 'Höhere Werte sprechen für die Klasse.',
  both: 'Positive Werte sprechen für die Klasse, negative dagegen.',
  clipped: ' Die Skala endet beim {percentile}. Perzentil; {share} der Werte liegen darüber hinaus.',
  largest: ' Gezeigt sind die größten, auf {share} der Karte.',
  lines: ' Linien bei {levels}.',
  empty: 'Auf dieser Skala hat die Karte nichts zu zeigen.',
  heatmap: '{photo}: {method}-Karte{about}',
  heatmapSaid: '{photo}: {method}-Karte{about}. {sentence}',
  threshold: '{percent} %',
  value: '{value} in Zeile {row}, Spalte {column} von {rows} × {columns}',

  groups: {
    cam: 'Karten einer Schicht',
    gradient: 'Gradienten',
    path: 'Wege von einem Vergleichsbild',
    relevance: 'Relevanz',
    black_box: 'Veränderte Fotos',
    transformer: 'Aufmerksamkeit',
    discovery: 'Gegenstände ohne Klassen',
  },
  automatic: 'automatisch',
  cards: {
    asks: 'Fragt',
    limits: 'Kann nicht sagen',
    cost: 'Kostet',
    paper: 'Aufsatz',
    formula: 'Berechnet',
    signed: 'Werte dafür und dagegen',
    positive: 'keine Werte unter 0',
    random: 'aus einem Startwert gezogen',
    all: 'Alle {count} Methoden: was sie fragen und was sie nicht sagen können',
    use: '{method} nehmen',
    absent: 'Nicht für das geöffnete Modell.',
    accuracy: 'Bei Bildern, mit denen es nicht trainiert wurde, steht die richtige Klasse bei {top1} an erster Stelle.',
    accuracyFive:
      'Bei Bildern, mit denen es nicht trainiert wurde, steht die richtige Klasse bei {top1} an erster Stelle und bei {top5} unter den ersten fünf.',
    model: 'Karte des Modells',
    classes: 'Die Klassen, die es kennt: {count}, und keine anderen',
    fetch: 'Karte von {host} holen',
    fetching: 'Die Karte wird geholt',
    none: 'Dieses Modell wurde aus Dateien geöffnet, ohne Karte.',
    missing: 'Es gibt keine lesbare Karte ({reason}).',
    cut: 'Der Rest der Karte fehlt hier: Sie ist zu lang.',
    table: 'Tabelle',
    picture: 'Bild: {text}',
  },
  attention: {
    of: ' von {who} in Block {block}',
    special: ' von {who} in Block {block} ({share} davon auf besonderen Tokens)',
    patch: 'dem Patch in Zeile {row}, Spalte {column}',
    classToken: 'dem Klassen-Token',
    all: 'allen Patches',
  },
  heads: {
    columns: {
      block: 'Block',
      head: 'Kopf',
      importance: 'Gewicht',
      distance: 'Abstand (Patches)',
      entropy: 'Entropie (nat)',
      specialShare: 'Auf besonderen Tokens',
    },
    caption: 'Für {target}, Bewertung {score}',
  },

  offer: {
    actions: { download: 'Herunterladen', resume: 'Fortsetzen', retry: 'Noch einmal versuchen', cancel: 'Abbrechen' },
    looking: '{name} wird gesucht',
    facts: '{name}: {facts}. {total}, von {host}.',
    here: ' {size} davon sind schon hier.',
    classes: '{count} Klassen',
    size: '{size} herunterzuladen',
    untold: 'Der Server sagt nicht, wie viel herunterzuladen ist',
    thisPage: 'dieser Seite',
    downloading: '{name} wird heruntergeladen',
    of: '{loaded} von {total}',
    rate: '{progress}, {rate} pro Sekunde',
    starting: 'Start',
    stopped: 'Das Herunterladen von {name} wurde angehalten',
    so: ' ({progress})',
  },
  kept: {
    summary: 'Auf diesem Gerät aufbewahrte Modelle ({count}, {size})',
    whole: '{id}: {size}, {date}',
    part: '{id}: {size} eines unterbrochenen Downloads, {date}',
    sha256: '.\nSHA-256 {sha256}',
    actions: { open: 'Öffnen', resume: 'Fortsetzen', delete: 'Löschen' },
  },

  link: {
    shown: 'Der Link steht in der Adresszeile.',
    copied: 'Der Link ist kopiert.',
    photo: 'Dein Foto ist nicht im Link: Es bleibt auf deinem Gerät.',
    model: 'Ebenso wenig das Modell, das aus Dateien geöffnet wurde.',
    unlisted: 'Das Modell des Links ({model}) steht nicht auf der Liste dieser Seite; öffne es und folge dann dem Link noch einmal',
  },

  timeLeft: {
    busy: '{what}. Das dauert einen Moment.',
    of: '{what}: {left}',
    few: 'noch ein paar Sekunden',
    seconds: 'noch etwa {n} Sekunden',
    minute: 'noch etwa eine Minute',
    minutes: 'noch etwa {n} Minuten',
  },
  camera: {
    open: 'Kamera benutzen',
    close: 'Kamera ausschalten',
    preview: 'Was die Kamera sieht',
    take: 'Dieses Bild nehmen',
    live: 'Live erklären',
    pause: 'Live anhalten',
    which: 'Kamera',
    front: 'vorn',
    back: 'hinten',
    nth: 'Kamera {n}',
    facing: '{name} ({side})',
    name: 'Ein Bild der Kamera',
    asking: 'Der Browser fragt, ob diese Seite die Kamera benutzen darf. Was die Kamera sieht, bleibt auf diesem Gerät.',
    ready: 'Die Kamera ist an. Nimm ein Bild, oder lass jedes erklären, das kommt.',
    begun: 'Live mit {method}: Erklärt wird das neueste Bild; was inzwischen kommt, wird ausgelassen.',
    stills: 'Live mit {method}: alle {seconds} Sekunden ein Standbild, da dieses System um weniger Bewegung bittet.',
    sees: 'Live: „{label}“',
    rate: '{rate} Bilder pro Sekunde',
    paused: 'Live ist angehalten; das letzte Bild ist das Foto.',
    slow: 'Live braucht {least} Bilder pro Sekunde, und {method} erklärt hier {rate}. Nimm einzelne Bilder, oder wähle ein kleineres Modell oder eine Methode, die weniger kostet.',
    hidden: 'Die Kamera wurde freigegeben, als die Seite verborgen war.',
    photo: 'Die Kamera wurde freigegeben: Ein anderes Foto ist geöffnet.',
    off: 'Die Kamera ist aus.',
    opening: 'Das Modell wird noch geöffnet; erkläre live, sobald es da ist',
    none: 'Auf diesem Gerät wurde keine Kamera gefunden. Schließe eine an und drücke noch einmal, oder wähle ein Foto',
    denied:
      'Diese Seite darf die Kamera nicht benutzen. Erlaube es neben der Adresse oder in den Einstellungen des Browsers oder des Systems und drücke noch einmal; oder wähle ein Foto',
    busy: 'Die Kamera startet nicht; vielleicht benutzt sie ein anderes Programm. Schließe es und drücke noch einmal, oder wähle ein Foto',
    gone: 'Die Kamera ist weg. Schließe sie an und drücke noch einmal, oder wähle ein Foto',
    insecure: 'Browser geben die Kamera nur Seiten mit einer https-Adresse. Öffne diese Seite unter einer solchen, oder wähle ein Foto',
    unsupported: 'Dieser Browser gibt Seiten keine Kamera. Nimm einen anderen, oder wähle ein Foto',
    failed: 'Die Kamera ist nicht gestartet ({detail}). Drücke noch einmal, oder wähle ein Foto',
  },
  picture: {
    unreachable:
      'Diese Seite kann {host} nicht erreichen: Sie darf nur die Hosts ihrer Liste fragen, und nichts wurde angefragt. Lade das Bild herunter und lege es hier ab; oder nimm „{origin}“ unter „hosts“ in models/models.json auf und baue die Seite neu',
    scheme: 'Das ist kein Link zu einem Bild im Web. Gib einen an, der mit https beginnt, oder lege das Bild selbst ab',
    offline: '{url} lässt sich nicht holen: Dieses Gerät ist offline',
    redirected:
      '{host} leitet die Anfrage an einen Host weiter, den diese Seite nicht erreichen kann. Lade das Bild herunter und lege es hier ab; oder nimm jenen Host unter „hosts“ in models/models.json auf und baue die Seite neu',
    cors: '{host} lässt andere Websites seine Bilder nicht lesen (CORS). Lade das Bild herunter und lege es hier ab',
    unanswered: '{host} antwortet nicht. Prüfe den Link und die Verbindung, oder lade das Bild herunter und lege es hier ab',
    missing: '{url} gibt es nicht ({status}): Prüfe den Link',
    refused: '{host} gibt dieses Bild nicht heraus ({status}). Lade es dort herunter, wo du Zugang hast, und lege es hier ab',
    status:
      '{host} hat mit dem Status {status} geantwortet. Versuche es später noch einmal, oder lade das Bild herunter und lege es hier ab',
    page: '{url} ist eine Webseite, kein Bild. Öffne sie, kopiere die Adresse des Bildes selbst und gib diese an',
    type: 'Das ist kein Bild, sondern {type}. Gib einen Link zu einem Bild an',
    large: 'Das Bild ist größer als {most}. Verkleinere es zuerst',
    broken: 'Das Herunterladen von {url} brach ab. Versuche es noch einmal',
    damaged: 'Die Daten in diesem Link sind beschädigt. Kopiere ihn noch einmal ganz',
  },

  compare: {
    what: 'Was',
    kinds: { classes: 'Methoden × Klassen', layers: 'Methoden × Schichten', models: 'Modelle × dieses Foto' },
    rows: 'Methoden',
    columns: { classes: 'Klassen', layers: 'Schichten', models: 'Modelle' },
    sharedScale: 'Eine Farbskala für die Karten einer Methode',
    go: 'Vergleichen',
    cancel: 'Abbrechen',
    progress: 'Fortschritt des Vergleichs',
    own: 'Jede Karte hat ihre eigene Farbskala; deren Enden stehen darunter.',
    shared: 'Die Karten einer Methode teilen sich eine Farbskala; deren Enden stehen unter jeder.',
    models: 'Alle Modelle teilen sich eine Farbskala, obwohl Bewertungen verschiedener Modelle nicht vergleichbar sein müssen.',
    outdated: 'Der Vergleich gehörte zu einem anderen Foto oder Modell.',
    outside: 'nicht gesehen',
    hint: 'Zeige auf eine Karte, oder gehe mit der Tabulatortaste hinein und nutze die Pfeiltasten: Jede Karte markiert dieselbe Stelle. Ein Klick macht eine Karte zur großen.',
    point: '{title}: {value} bei {right} % von links, {down} % von oben',
    empty: 'nichts zu zeigen',
    ends: '{lo} bis {hi}',
    choose: 'Wähle von beidem mindestens eines.',
    opening: '{model} wird geöffnet',
    gone: 'Dieses Modell ist nicht mehr hier',
    computing: '{title}: {n} von {total}',
    done: '{n} von {total} Karten berechnet.',
    stopped: 'Nach {n} von {total} Karten angehalten.',
    missing: 'nicht berechnet',
    predicted: '{model}: „{label}“',
    save: 'Vergleich speichern (PNG)',
  },

  embed: {
    kind: 'Als',
    element: 'Element mit seinem Skript',
    iframe: 'Iframe (für Lernplattformen)',
    predict: 'Als Frage: erst vermuten, dann schauen',
    controls: 'Mit Bedienelementen',
    code: 'Code zum Einfügen in eine Seite',
    copy: 'Code kopieren',
    copied: 'Kopiert.',
    marked: 'Kopieren ist hier nicht erlaubt: Der Code ist markiert, drücke Strg oder Command und C.',
    title: 'Wohin hat das Modell geschaut?',
    photo: 'Dein Foto ist nur auf deinem Gerät: Lege es auf deine eigene Seite und setze seine Adresse statt your-photo.jpg ein.',
    model:
      'Dieses Modell wurde aus Dateien geöffnet: Lege seinen Ordner auf deine eigene Seite und setze seine Adresse statt your-model/ ein.',
    hosts: 'Ein Iframe erreicht nur die Hosts aus der models.json dieser Website: Nimm deine dort unter „hosts“ auf.',
  },

  network: {
    line: 'Netz seit dem Laden: {size}, {from}',
    alone: 'nur von dieser Seite',
    others: 'von dieser Seite und {hosts}',
    here: '{host} (diese Seite)',
    request: '{host}: 1 Anfrage, {size}',
    requests: '{host}: {count} Anfragen, {size}',
    untold: 'Größe vom Server nicht genannt',
    refused: '{host}: von den Regeln dieser Seite abgelehnt',
    reach: 'Der Browser lässt diese Seite nur die eigene Website erreichen und keinen anderen Host.',
    reachAlso: 'Der Browser lässt diese Seite die eigene Website und {hosts} erreichen und keinen anderen Host.',
    ownSite: 'die eigene Website',
    unreachable:
      '{host} gehört nicht zu den Hosts, die diese Seite erreichen kann ({hosts}). Nichts wurde angefragt. Um diese Adresse zu öffnen, nimm „{origin}“ unter „hosts“ in models/models.json auf und baue die Seite neu; oder lade die Dateien selbst herunter und lege sie hier ab',
    redirected: '{host} hat die Anfrage an einen Host weitergeleitet, den die Regeln ablehnen',
    refuses: 'die Regeln lehnen {host} ab',
    redirector: 'Ein Host, an den {host} weiterleitete',
    refusals: '; {reasons}: Unter „hosts“ in models/models.json steht, was diese Seite erreichen kann',
    noCopy: 'Dieser Browser hat keine Kopie der Seite: Um sie wieder zu öffnen, braucht er eine Verbindung.',
    copy: 'Diese Seite liegt auf diesem Gerät und funktioniert ohne Verbindung.',
  },

  core: {
    // Devices, and why.
    'CPU, WebAssembly SIMD, one thread': 'CPU, WebAssembly SIMD, ein Thread',
    'you asked for the CPU': 'du hast die CPU gewählt',
    'you asked for WebGPU': 'du hast WebGPU gewählt',
    'this browser has no WebGPU': 'dieser Browser hat kein WebGPU',
    'this browser has WebGPU but no adapter for it': 'dieser Browser hat WebGPU, aber keinen Adapter dafür',
    'this browser refused to give a WebGPU adapter': 'dieser Browser gibt keinen WebGPU-Adapter her',
    'the WebGPU adapter here is emulated in software, which is slower than the CPU build':
      'der WebGPU-Adapter hier ist in Software nachgebildet, und das ist langsamer als die CPU',
    'the WebGPU build is not served here': 'das Programm für WebGPU gibt es auf dieser Website nicht',
    'this browser has a hardware WebGPU adapter': 'dieser Browser hat einen WebGPU-Adapter in Hardware',
    'whether there is WebGPU is being found out': 'ob es WebGPU gibt, wird gerade festgestellt',
    'WebGPU takes over as soon as it is ready': 'WebGPU übernimmt, sobald es bereit ist',
    'WebGPU did not start here ({reason})': 'WebGPU lief hier nicht an ({reason})',

    // The lists of models, colours and sample photos.
    '64 everyday things, small CNN': '64 Alltagsdinge, kleines CNN',
    '64 everyday things, small ViT': '64 Alltagsdinge, kleiner ViT',
    'Drawn shapes, small CNN': 'Gezeichnete Formen, kleines CNN',
    'Drawn shapes, small ViT': 'Gezeichnete Formen, kleiner ViT',
    'blue–white–red': 'blau–weiß–rot',
    "Rachel Michetti, CC0 (scikit-image's coffee)": 'Rachel Michetti, CC0 (coffee aus scikit-image)',
    "Stéfan van der Walt, CC0 (scikit-image's chelsea)": 'Stéfan van der Walt, CC0 (chelsea aus scikit-image)',
    'drawn by this project (training/drawings.py)': 'von diesem Projekt gezeichnet (training/drawings.py)',
    "SpaceX, public domain (scikit-image's rocket)": 'SpaceX, gemeinfrei (rocket aus scikit-image)',

    // What the methods ask, and what they cannot tell.
    "Where in the layer's grid would more of what the model found there raise the score?":
      'Wo im Raster der Schicht würde mehr von dem, was das Modell dort fand, die Bewertung erhöhen?',
    'The grid is coarse, and the mean gradient of a channel may hide that it speaks for the class in one place and against it in another.':
      'Das Raster ist grob, und der mittlere Gradient eines Kanals kann verbergen, dass er hier für die Klasse spricht und dort dagegen.',
    'Where is what raises the score, counting every place of a channel that does, however few?':
      'Wo ist, was die Bewertung erhöht, wenn jede Stelle eines Kanals zählt, die das tut, so wenige es auch sind?',
    'Its weights are a closed form for the exponential of the score, not a derivative of the score itself.':
      'Ihre Gewichte sind eine geschlossene Formel für die Exponentialfunktion der Bewertung, keine Ableitung der Bewertung selbst.',
    'How much does what the layer found at each place add to the score, to first order?':
      'Wie viel trägt das, was die Schicht an jeder Stelle fand, in erster Ordnung zur Bewertung bei?',
    'The grid is coarse, and a gradient is a straight line: what the layers behind saturate is missed.':
      'Das Raster ist grob, und ein Gradient ist eine Gerade: Was die Schichten dahinter sättigen, entgeht ihr.',
    'Where has the layer found what speaks for the class at that very place?':
      'Wo hat die Schicht gefunden, was an genau dieser Stelle für die Klasse spricht?',
    'Evidence against the class is left out, and shallow layers show edges of everything that has any positive gradient.':
      'Was gegen die Klasse spricht, fehlt, und flache Schichten zeigen die Kanten von allem, was irgendeinen positiven Gradienten hat.',
    'Where is the layer active in channels that add to the score where they are active?':
      'Wo ist die Schicht in Kanälen aktiv, die zur Bewertung beitragen, wo sie aktiv sind?',
    'The grid is coarse; where activations have both signs, a channel that sums to nearly 0 can drown the others.':
      'Das Raster ist grob; wo Aktivierungen beide Vorzeichen haben, kann ein Kanal mit einer Summe nahe 0 die anderen übertönen.',
    "How much would each place change the layer's weights if the model learned from this photo?":
      'Wie stark würde jede Stelle die Gewichte der Schicht ändern, wenn das Modell aus diesem Foto lernte?',
    'It has no sign: what speaks against the class is as bright as what speaks for it.':
      'Sie hat kein Vorzeichen: Was gegen die Klasse spricht, ist so hell wie das, was für sie spricht.',
    'Where does the layer find what explains most of its activity?': 'Wo findet die Schicht, was das meiste ihrer Aktivität erklärt?',
    'It does not know the class: it shows what stands out to the layer, whatever is asked.':
      'Sie kennt die Klasse nicht: Sie zeigt, was der Schicht auffällt, wonach auch gefragt wird.',
    "Where is what explains most of the layer's evidence for the class?":
      'Wo ist, was das meiste von dem erklärt, das in der Schicht für die Klasse spricht?',
    'One direction among channels: evidence of another kind is left out, and what remains need not add up to the score.':
      'Eine einzige Richtung unter den Kanälen: Belege anderer Art fehlen, und was bleibt, muss nicht die Bewertung ergeben.',
    "Which of the layer's channels, used as masks, show the model what it needs for this score?":
      'Welche Kanäle der Schicht zeigen dem Modell, als Masken benutzt, was es für diese Bewertung braucht?',
    'A mask also brings its own edges, and a softmax over scores lets a few channels decide.':
      'Eine Maske bringt auch eigene Kanten mit, und ein Softmax über die Bewertungen lässt wenige Kanäle entscheiden.',
    "Which of the layer's channels does the score fall without, and where are they active?":
      'Ohne welche Kanäle der Schicht fällt die Bewertung, und wo sind diese aktiv?',
    'Channels are removed one by one: what two of them say together is counted for neither or for both.':
      'Kanäle werden einzeln entfernt: Was zwei gemeinsam sagen, zählt für keinen oder für beide.',
    'Which pixels would change the score most if they changed a little?':
      'Welche Pixel würden die Bewertung am meisten ändern, wenn sie sich ein wenig änderten?',
    'It is noisy, and it says what would change the score, not what made it: a pixel that is already decisive may have no gradient left.':
      'Sie rauscht, und sie sagt, was die Bewertung ändern würde, nicht, was sie ausmacht: Ein schon entscheidendes Pixel hat vielleicht keinen Gradienten mehr.',
    'How much does each pixel contribute to the score if the model is taken for linear around this photo?':
      'Wie viel trägt jedes Pixel zur Bewertung bei, wenn man das Modell um dieses Foto herum für linear hält?',
    'The model is not linear: the contributions need not add up to the score, and pixels of the mean colour get nothing.':
      'Das Modell ist nicht linear: Die Beiträge müssen nicht die Bewertung ergeben, und Pixel der mittleren Farbe bekommen nichts.',
    'Which pixels would change the score if they changed a little, on average over photos that look the same?':
      'Welche Pixel würden die Bewertung ändern, wenn sie sich ein wenig änderten, im Mittel über Fotos, die gleich aussehen?',
    'It hides what differs between the copies, and too much noise makes photos that the model has never seen the like of.':
      'Sie verbirgt, worin sich die Kopien unterscheiden, und zu viel Rauschen ergibt Fotos, wie sie das Modell nie gesehen hat.',
    'Which pixels would change the score if they changed a little, whichever way, in photos that look the same?':
      'Welche Pixel würden die Bewertung ändern, wenn sie sich ein wenig änderten, gleich wohin, in Fotos, die gleich aussehen?',
    'Squares bring out the strongest pixels and lose the sign: it ranks well and says nothing about for or against.':
      'Quadrate heben die stärksten Pixel hervor und verlieren das Vorzeichen: Sie ordnet gut und sagt nichts über dafür oder dagegen.',
    'Where does the gradient depend on details that nobody would see?': 'Wo hängt der Gradient von Einzelheiten ab, die niemand sähe?',
    'It says where the model is curved, not what speaks for the class: a decisive pixel that acts linearly gets 0.':
      'Sie sagt, wo das Modell gekrümmt ist, nicht, was für die Klasse spricht: Ein entscheidendes Pixel, das linear wirkt, bekommt 0.',
    'Which fine structures set off the units that speak for the score?':
      'Welche feinen Strukturen lösen die Einheiten aus, die für die Bewertung sprechen?',
    "It comes close to restoring the photo's edges whatever the class: a sharp picture, hardly an explanation.":
      'Sie stellt beinahe die Kanten des Fotos wieder her, gleich für welche Klasse: ein scharfes Bild, kaum eine Erklärung.',
    'Which fine structures lie where the layer found evidence for the class?':
      'Welche feinen Strukturen liegen dort, wo die Schicht etwas fand, das für die Klasse spricht?',
    "Its sharpness is that of guided backpropagation, which hardly depends on the class: only the place is Grad-CAM's.":
      'Die Schärfe ist die von Guided Backpropagation und hängt kaum von der Klasse ab: Nur der Ort kommt von Grad-CAM.',
    'How much did each pixel add to the score on the way from a baseline picture to this one?':
      'Wie viel hat jedes Pixel auf dem Weg von einem Vergleichsbild zu diesem zur Bewertung beigetragen?',
    'It answers relative to the baseline: what the baseline shares with the photo gets nothing.':
      'Sie antwortet im Verhältnis zum Vergleichsbild: Was dieses mit dem Foto gemeinsam hat, bekommt nichts.',
    'How much did each pixel add to the score while the photo came into focus?':
      'Wie viel hat jedes Pixel zur Bewertung beigetragen, während das Foto scharf wurde?',
    'What survives the widest blur, such as the colour of a large area, gets nothing.':
      'Was die stärkste Unschärfe übersteht, etwa die Farbe einer großen Fläche, bekommt nichts.',
    'How much did each pixel add to the score, on a way from a baseline picture that keeps out of steep places?':
      'Wie viel hat jedes Pixel zur Bewertung beigetragen, auf einem Weg von einem Vergleichsbild, der steile Stellen meidet?',
    'The way hangs on the last digits of gradients: on large models another device may take another one, and the sum can miss the difference of the scores by far.':
      'Der Weg hängt an den letzten Stellen der Gradienten: Bei großen Modellen kann ein anderes Gerät einen anderen nehmen, und die Summe kann die Differenz der Bewertungen weit verfehlen.',
    'Which regions of the photo added most to the score, pixel for pixel?':
      'Welche Gebiete des Fotos haben Pixel für Pixel am meisten zur Bewertung beigetragen?',
    'Regions come from colour alone: what shares its region with something important looks as important.':
      'Gebiete entstehen allein aus Farbe: Was sich ein Gebiet mit etwas Wichtigem teilt, sieht ebenso wichtig aus.',
    'How is the score shared out when every unit hands it back to what fed it?':
      'Wie verteilt sich die Bewertung, wenn jede Einheit sie an das zurückgibt, was sie speiste?',
    'The shares are rules, not consequences of the function: another composite draws another map, and the z+ rule hardly tells classes apart.':
      'Die Anteile sind Regeln, keine Folgen der Funktion: Ein anderer Regelsatz zeichnet eine andere Karte, und die z+-Regel unterscheidet Klassen kaum.',
    "How much of the score's difference from a baseline picture's does each pixel carry, unit by unit?":
      'Wie viel von der Differenz der Bewertung zu der eines Vergleichsbilds trägt jedes Pixel, Einheit für Einheit?',
    'It answers relative to the baseline, and two nets that compute the same function may get different maps.':
      'Sie antwortet im Verhältnis zum Vergleichsbild, und zwei Netze, die dieselbe Funktion berechnen, können verschiedene Karten bekommen.',
    'Which areas stand out by the relevance that LRP gives them?': 'Welche Flächen stechen durch die Relevanz heraus, die LRP ihnen gibt?',
    'It shows where relevance is unlike its surroundings, for or against the target, not how much there is.':
      'Sie zeigt, wo die Relevanz anders ist als ringsum, dafür oder dagegen, nicht, wie viel es davon gibt.',
    "From which patches could the classifier's token have gathered what it holds, through the attention of all blocks?":
      'Aus welchen Patches könnte der Token des Klassifikators durch die Aufmerksamkeit aller Blöcke gesammelt haben, was er enthält?',
    'It is the same for every class: it follows attention alone, and neither what was passed along nor what the classifier made of it.':
      'Sie ist für jede Klasse gleich: Sie folgt allein der Aufmerksamkeit und weder dem, was weitergegeben wurde, noch dem, was der Klassifikator daraus machte.',
    "Through which patches did attention that raises the score reach the classifier's token?":
      'Durch welche Patches erreichte Aufmerksamkeit, die die Bewertung erhöht, den Token des Klassifikators?',
    'What more attention would lower is left out, and so is all that reaches the score by other ways than attention.':
      'Es fehlt, was mehr Aufmerksamkeit senken würde, und alles, was die Bewertung auf anderem Weg als durch Aufmerksamkeit erreicht.',
    'Which patches does a token look at, in one block, by one head or their mean?':
      'Welche Patches betrachtet ein Token, in einem Block, mit einem Kopf oder dem Mittel aller?',
    'It is the same for every class, and what is looked at need not change anything.':
      'Sie ist für jede Klasse gleich, und was betrachtet wird, muss nichts ändern.',
    'Into which two parts do the patches fall by what they hold, and which of the two stands out?':
      'In welche zwei Teile zerfallen die Patches nach dem, was sie enthalten, und welcher der beiden sticht heraus?',
    'It knows of no class, and always finds two parts, also where there is one thing or none.':
      'Sie weiß von keiner Klasse und findet immer zwei Teile, auch wo es nur ein Ding oder keines gibt.',
    'How far does the score fall when a window over this place hides the photo?':
      'Wie weit fällt die Bewertung, wenn ein Fenster das Foto an dieser Stelle verdeckt?',
    "What is visible in two places is missed, as hiding one leaves the other; and the window's edge is itself something new to see.":
      'Was an zwei Stellen zu sehen ist, entgeht ihr, denn wird eine verdeckt, bleibt die andere; und der Rand des Fensters ist selbst etwas Neues.',
    'How high does the score stay on average when this place is among the parts of the photo that are shown?':
      'Wie hoch bleibt die Bewertung im Mittel, wenn diese Stelle zu den gezeigten Teilen des Fotos gehört?',
    "An average over random masks: noise fades with the root of their number, and nothing finer than a mask's cell is seen.":
      'Ein Mittel über zufällige Masken: Das Rauschen schwindet mit der Wurzel ihrer Zahl, und nichts Feineres als die Zelle einer Maske wird sichtbar.',
    'Which superpixels carry the score in the linear model that fits best when some of them are hidden?':
      'Welche Superpixel tragen die Bewertung in dem linearen Modell, das am besten passt, wenn einige davon verdeckt sind?',
    "A line through what need not be linear: r2 says how well it fits, and the map changes with the superpixels and the kernel's width.":
      'Eine Gerade durch etwas, das nicht linear sein muss: r2 sagt, wie gut sie passt, und die Karte ändert sich mit den Superpixeln und der Breite des Kerns.',
    "What is each superpixel's fair share of the difference between the photo's score and the baseline's?":
      'Was ist der gerechte Anteil jedes Superpixels an der Differenz zwischen der Bewertung des Fotos und der des Vergleichsbilds?',
    "Fair by Shapley's axioms over photos with holes, which the model never saw in training; an estimate unless every coalition was tried.":
      'Gerecht nach Shapleys Axiomen über Fotos mit Löchern, die das Modell im Training nie sah; eine Schätzung, solange nicht jede Koalition versucht wurde.',
    'after Muhammad and Yeasin 2020': 'nach Muhammad and Yeasin 2020',

    // What they cost.
    '1 forward and 1 backward from the layer on': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',
    '1 forward up to the layer': '1 Vorwärtsdurchlauf bis zur Schicht',
    '1 forward up to the layer and 1 forward per mask, as many as channels':
      '1 Vorwärtsdurchlauf bis zur Schicht und 1 je Maske, so viele wie Kanäle',
    '1 forward up to the layer and 1 forward from the layer on for each of its channels':
      '1 Vorwärtsdurchlauf bis zur Schicht und 1 ab der Schicht für jeden ihrer Kanäle',
    '1 forward and 1 backward': '1 Vorwärts- und 1 Rückwärtsdurchlauf',
    'nSamples forward and backward': 'nSamples Vorwärts- und Rückwärtsdurchläufe',
    '2 forward and 2 backward, one pair of them from the layer on': '2 Vorwärts- und 2 Rückwärtsdurchläufe, ein Paar davon ab der Schicht',
    'nSteps forward and backward for each baseline': 'nSteps Vorwärts- und Rückwärtsdurchläufe für jedes Vergleichsbild',
    'nSteps forward and backward': 'nSteps Vorwärts- und Rückwärtsdurchläufe',
    '2 nSteps forward and backward': '2 nSteps Vorwärts- und Rückwärtsdurchläufe',
    '1 forward and 1 backward, two to three times as long as plain ones':
      '1 Vorwärts- und 1 Rückwärtsdurchlauf, zwei- bis dreimal so lang wie gewöhnliche',
    '2 forward and 1 backward': '2 Vorwärtsdurchläufe und 1 Rückwärtsdurchlauf',
    '1 forward and 1 backward, as LRP, and a comparison of all patches on the CPU':
      '1 Vorwärts- und 1 Rückwärtsdurchlauf wie LRP und ein Vergleich aller Patches auf der CPU',
    '1 forward of the blocks': '1 Vorwärtsdurchlauf der Blöcke',
    '1 forward and 1 backward of the blocks': '1 Vorwärts- und 1 Rückwärtsdurchlauf der Blöcke',
    '1 block forward': '1 Block vorwärts',
    'one forward a window: 225 without options, about 18 s where a forward takes 0.08 s':
      'ein Vorwärtsdurchlauf je Fenster: 225 ohne Optionen, etwa 18 s, wo ein Durchlauf 0,08 s dauert',
    'nSamples forward: 400 without options, about 32 s where a forward takes 0.08 s':
      'nSamples Vorwärtsdurchläufe: 400 ohne Optionen, etwa 32 s, wo ein Durchlauf 0,08 s dauert',
    'nSamples + 1 forward: 401 without options, about 32 s where a forward takes 0.08 s':
      'nSamples + 1 Vorwärtsdurchläufe: 401 ohne Optionen, etwa 32 s, wo ein Durchlauf 0,08 s dauert',

    // Their options.
    'added to the denominator of the weights; pytorch-grad-cam has 1e-6, torch-cam amounts to a large one':
      'wird zum Nenner der Gewichte addiert; pytorch-grad-cam hat 1e-6, torch-cam kommt einem großen gleich',
    "take each channel's mean away before the decomposition": 'vor der Zerlegung den Mittelwert jedes Kanals abziehen',
    'weigh by the increase over the score of an empty input, without a softmax':
      'nach dem Zuwachs gegenüber der Bewertung einer leeren Eingabe gewichten, ohne Softmax',
    'resize channels corner to corner instead of by pixel centres, as pytorch-grad-cam does':
      'Kanäle von Ecke zu Ecke vergrößern statt nach Pixelmitten, wie pytorch-grad-cam',
    'scale channels to [0, 1] before they are resized, as torch-cam does': 'Kanäle vor dem Vergrößern auf [0, 1] bringen, wie torch-cam',
    'channels to weigh, those of the largest variance; 0 for all':
      'wie viele Kanäle gewichtet werden, die mit der größten Varianz; 0 für alle',
    'inputs per pass; changes speed and memory, never the map': 'Eingaben je Durchlauf; ändert Tempo und Speicher, nie die Karte',
    'what a channel is set to; far below all values it is what pytorch-grad-cam does in layers with negative ones':
      'worauf ein Kanal gesetzt wird; weit unter allen Werten ist es, was pytorch-grad-cam in Schichten mit negativen tut',
    'gradients that are gathered': 'wie viele Gradienten gesammelt werden',
    "standard deviation of the noise, as a share of the input's largest minus its smallest value":
      'Standardabweichung des Rauschens, als Anteil an größtem minus kleinstem Wert der Eingabe',
    'the same seed gives the same map': 'derselbe Startwert ergibt dieselbe Karte',
    'what a ReLU passes back: positive gradients of its active units, or all positive gradients':
      'was ein ReLU zurückgibt: positive Gradienten seiner aktiven Einheiten oder alle positiven Gradienten',
    "how the layer's map is shown on the input's grid": 'wie die Karte der Schicht auf das Raster der Eingabe kommt',
    'points on the path': 'Punkte auf dem Weg',
    'the reference picture; of several, the mean over all': 'das Vergleichsbild; bei mehreren das Mittel über alle',
    'standard deviation of the blur baseline': 'Standardabweichung der Unschärfe als Vergleichsbild',
    'the integration rule': 'die Integrationsregel',
    'doubles nSteps until the residual is at most this; 0 keeps nSteps':
      'verdoppelt nSteps, bis der Rest höchstens so groß ist; 0 lässt nSteps',
    'where doubling ends, with a tolerance': 'wo das Verdoppeln mit einer Toleranz endet',
    'blurs on the path': 'Unschärfen auf dem Weg',
    'standard deviation of the widest blur (its root where sqrtScale is on)':
      'Standardabweichung der stärksten Unschärfe (ihre Wurzel, wenn sqrtScale an ist)',
    'variances evenly spaced rather than standard deviations': 'Varianzen in gleichen Abständen statt Standardabweichungen',
    'how much wider the blur is that the derivative compares with; 0 = the next one on the path':
      'wie viel breiter die Unschärfe ist, mit der die Ableitung vergleicht; 0 = die nächste auf dem Weg',
    'how many values, those with the smallest gradients, move at once':
      'wie viele Werte, die mit den kleinsten Gradienten, sich zugleich bewegen',
    'how far a value may be from the straight line: 0 = integrated gradients, 1 = anywhere':
      'wie weit ein Wert von der Geraden abweichen darf: 0 = Integrated Gradients, 1 = beliebig',
    'the reference picture': 'das Vergleichsbild',
    "whether a region's gain is looked at anew after each choice, or once":
      'ob der Gewinn eines Gebiets nach jeder Wahl neu bestimmt wird oder einmal',
    'points on the path from each baseline': 'Punkte auf dem Weg von jedem Vergleichsbild',
    'regions that would add fewer pixels are left out': 'Gebiete, die weniger Pixel hinzufügen würden, entfallen',
    'added to the magnitude of the denominators of dense layers': 'wird zum Betrag der Nenner voll verbundener Schichten addiert',
    'the rules: the flat rule or the z+ rule at the first layer': 'die Regeln: in der ersten Schicht die flache oder die z+-Regel',
    'max pooling: shares that add up, or the plain gradient, as captum behind a ReLU':
      'Max-Pooling: Anteile, die aufgehen, oder der einfache Gradient, wie captum hinter einem ReLU',
    'the most similar patches that a patch is compared with': 'mit wie vielen der ähnlichsten Patches ein Patch verglichen wird',
    'how much less a difference counts far away': 'wie viel weniger ein Unterschied in der Ferne zählt',
    'saliency beyond which a patch is a focus': 'Auffälligkeit, ab der ein Patch ein Brennpunkt ist',
    'how the heads of a block become one': 'wie aus den Köpfen eines Blocks einer wird',
    "share of each block's entries, the smallest, that count as 0": 'Anteil der kleinsten Einträge jedes Blocks, die als 0 zählen',
    'the block that is read, from 0; the last where left out': 'der gelesene Block, ab 0; ohne Angabe der letzte',
    'the head that is read, from 0; the mean over all where left out': 'der gelesene Kopf, ab 0; ohne Angabe das Mittel über alle',
    'the patch that looks, row by row from 0; where left out what the classifier reads: the class token, or the mean of the patches':
      'der Patch, der schaut, Zeile für Zeile ab 0; ohne Angabe das, was der Klassifikator liest: der Klassen-Token oder das Mittel der Patches',
    'cosine above which two patches are alike': 'Kosinus, über dem zwei Patches einander gleichen',
    "the window's side, at most the input's shorter side; without it an eighth of that":
      'die Seite des Fensters, höchstens die kürzere Seite der Eingabe; ohne Angabe ein Achtel davon',
    "from window to window, at most the window's side; without it half of that":
      'von Fenster zu Fenster, höchstens die Seite des Fensters; ohne Angabe die Hälfte davon',
    'random masks; the paper takes 4000': 'zufällige Masken; der Aufsatz nimmt 4000',
    'cells along a side of the coarse grid': 'Zellen entlang einer Seite des groben Rasters',
    'probability that a cell is shown': 'Wahrscheinlichkeit, dass eine Zelle gezeigt wird',
    "subtract the mean score; false is the paper's formula": 'die mittlere Bewertung abziehen; ohne ist es die Formel des Aufsatzes',
    'random choices of superpixels; the paper takes 1000': 'zufällige Auswahlen von Superpixeln; der Aufsatz nimmt 1000',
    'superpixels, about': 'ungefähre Zahl der Superpixel',
    "colour difference that weighs as much as a superpixel's width; the larger, the squarer":
      'Farbunterschied, der so viel wiegt wie die Breite eines Superpixels; je größer, desto quadratischer',
    'how near to the whole photo a sample must be to count': 'wie nah eine Stichprobe am ganzen Foto sein muss, um zu zählen',
    "penalty on the coefficients' squares": 'Strafe auf die Quadrate der Koeffizienten',
    'coalitions of superpixels, in pairs; all of them where they are no more than this':
      'Koalitionen von Superpixeln, paarweise; alle, wenn es nicht mehr als so viele sind',

    // Their units, and what can be chosen.
    'squared gradient': 'quadrierter Gradient',
    channels: 'Kanäle',
    inputs: 'Eingaben',
    activation: 'Aktivierung',
    'noisy copies': 'verrauschte Kopien',
    "of the input's range": 'des Wertebereichs der Eingabe',
    points: 'Punkte',
    'input pixels': 'Pixel der Eingabe',
    "of F(x) - F(x')": "von F(x) - F(x')",
    'share of values': 'Anteil der Werte',
    'share of the way': 'Anteil des Wegs',
    patches: 'Patches',
    masks: 'Masken',
    cells: 'Zellen',
    samples: 'Stichproben',
    superpixels: 'Superpixel',
    'CIELAB units': 'Einheiten von CIELAB',
    'cosine distance': 'Kosinusabstand',
    coalitions: 'Koalitionen',
    guided: 'Guided Backpropagation',
    deconvolution: 'Deconvolution',
    bilinear: 'bilinear',
    nearest: 'nächster Nachbar',
    'gauss legendre': 'Gauß-Legendre',
    midpoint: 'Mittelpunkte',
    trapezoid: 'Trapeze',
    left: 'linke Enden',
    right: 'rechte Enden',
    'both ends': 'beide Enden',
    full: 'jedes Mal',
    fast: 'einmal (schnell)',
    'epsilon plus flat': 'Epsilon, z+, flach',
    'epsilon plus': 'Epsilon, z+',
    rescale: 'Rescale',
    gradient: 'Gradient',
    mean: 'Mittel',
    max: 'Maximum',
    min: 'Minimum',
    black: 'schwarz',
    white: 'weiß',
    blur: 'unscharf',
    noise: 'Rauschen',
  },
};
