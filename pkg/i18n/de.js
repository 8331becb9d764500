// @ts-check
// The package's texts in German.

// What several methods say.
const chunkSize = 'Eingaben je Durchlauf; ändert Tempo und Speicher, nie die Karte';
const inputs = 'Eingaben';
const seed = 'derselbe Startwert ergibt dieselbe Karte';
const baseline = 'das Vergleichsbild';
const blurSigma = 'Standardabweichung der Unschärfe als Vergleichsbild';
const pixels = 'Pixel der Eingabe';
const points = 'Punkte';

/** @type {import('../index.js').Strings} */
export const strings = {
  locale: 'de',
  share: '{percent} %',
  more: 'mehr als 99 %',
  less: 'weniger als 1 %',
  class: '„{a}“',
  contrast: '„{a}“ und nicht „{b}“',
  group: 'eine der Klassen {list}',
  about: ' für {target}',
  parts: {
    positive: 'der positiven Attribution{about}',
    negative: 'der negativen Attribution{about}',
    all: 'der Attribution{about}',
  },
  seen: 'dessen, was das Modell sah',
  photo: 'des Fotos',
  map: 'der Karte',
  ninths: [
    'im linken oberen Neuntel',
    'im mittleren oberen Neuntel',
    'im rechten oberen Neuntel',
    'im linken mittleren Neuntel',
    'im mittleren Neuntel',
    'im rechten mittleren Neuntel',
    'im linken unteren Neuntel',
    'im mittleren unteren Neuntel',
    'im rechten unteren Neuntel',
  ],
  rows: ['im oberen Drittel', 'im waagerechten mittleren Drittel', 'im unteren Drittel'],
  columns: ['im linken Drittel', 'im senkrechten mittleren Drittel', 'im rechten Drittel'],
  most: '{share} {part} liegen {region} {whole}',
  spread:
    'breite Verteilung {part}: kein Drittel enthält die Hälfte davon, und das meiste, {share}, liegt {region} {whole}',
  spot: 'die stärkste Stelle, eine von {columns} × {rows} Zellen, hat ihre Mitte bei {right} der Breite und {down} der Höhe',
  spots: 'der stärkste Wert kommt in {count} von {columns} × {rows} Zellen vor',
  uniform: 'der Wert ist überall gleich',
  join: '{a}; {b}.',
  end: '{a}.',
  balance: '{share} aller Beträge sind negativ',
  none: 'keine Attribution ist positiv.',
  empty: 'Die Karte ist überall null: Sie markiert nichts.',
  invalid: '{count} von {cells} Werten sind keine endlichen Zahlen und bleiben außer Acht.',
  nothing: 'Die Karte hat keine endliche Zahl.',

  image: 'Foto',
  percentile: 'Die Skala endet beim Perzentil {percentile}: {share} der Werte liegen darüber hinaus.',
  threshold: 'Gezeigt sind die größten Werte, auf {share} der Karte.',
  contours: 'Linien bei {levels}.',
  shared: 'Eine Skala für alle Karten.',
  blank: 'Auf dieser Skala ist nichts zu zeigen.',
  title: '{method} für {target}{at}',
  method: '{method}{at}',
  at: ' in {layer}',
  model: 'Modell {id} ({architecture}), SHA-256 {sha256}.',
  options: 'Optionen: {options}.',
  logProbability: 'Vom Logarithmus der Wahrscheinlichkeit.',
  version: 'Sightline {version}.',

  texts: {
    'error.unsupported-image': 'Das Bild lässt sich nicht lesen.',
    'error.image-too-large': 'Das Bild ist zu groß.',
    'error.bad-model': 'Das Modell lässt sich nicht verwenden.',
    'error.unsupported-architecture': 'Diese Art von Modell wird nicht unterstützt.',
    'error.bad-option': 'Eine Einstellung stimmt nicht.',
    'error.unsupported': 'Das geht mit diesem Modell nicht.',
    'error.device-unavailable': 'Das Gerät steht nicht zur Verfügung.',
    'error.device-lost': 'Das Gerät ging verloren.',
    'error.out-of-memory': 'Der Speicher reicht nicht.',
    'error.aborted': 'Es wurde abgebrochen.',
    'error.network': 'Etwas ließ sich nicht laden.',
    'error.quota': 'Der Speicherplatz reicht nicht.',
    'error.internal': 'Etwas ging schief.',

    'warning.non-finite':
      '{count} von {cells} Werten sind keine endlichen Zahlen und stehen hier als 0: Die Berechnung lief über.',
    'warning.zero-map': 'Jeder Wert ist 0: Die Bewertung ändert sich nicht mit dem, was diese Methode betrachtet.',
    'warning.zero-map.disconnected': 'Jeder Wert ist 0: In die Bewertung geht nicht ein, was diese Methode betrachtet.',
    'warning.zero-map.dead-relu':
      'Jeder Wert ist 0: Keine Einheit dieser Schicht ist bei diesem Bild aktiv (tote ReLUs).',
    'warning.zero-map.saturated':
      'Jeder Wert ist 0: Auf dem Rückweg von der Bewertung verschwindet der Gradient (gesättigte Einheiten oder tote ReLUs).',
    'warning.zero-map.cancelled':
      'Jeder Wert ist 0, obwohl Aktivierungen und Gradienten es nicht sind: Die Regel dieser Methode hebt sie hier auf.',
    'warning.zero-map.alike':
      'Jeder Wert ist 0: Bei diesem tau gleichen sich alle Patches, und keiner sticht heraus; versuche ein anderes tau.',
    'warning.constant-map': 'Alle Werte sind {value}: Die Karte sagt nichts darüber, wo.',
    'warning.partial': 'Nach {done} von {total} Stichproben beendet: Die Karte ist eine Schätzung.',
    'warning.attention-sink':
      '{percent} % der Karte liegen auf {count} von {patches} Patches, deren Norm nach dem letzten Block ungewöhnlich groß ist (details.outlierTokens); sie stehen oft für das ganze Bild und nicht für ihren Ort.',
    'warning.underdetermined':
      'Die Stichprobe unterscheidet nicht alle {segments} Superpixel; was sie offen lässt, ist gleichmäßig verteilt. Erhöhe nSamples.',
    'warning.incomplete':
      'Nach {steps} Schritten verfehlt die Attribution die Differenz der Bewertungen, {difference}, noch um {residual} und damit um mehr als die Toleranz von {tolerance}; erhöhe maxSteps.',
    'warning.scaled':
      'Das Foto hat {width} x {height} Pixel; beim Lesen wurde es auf {keptWidth} x {keptHeight} verkleinert, feinste Einzelheiten gehen also nicht ein.',
    'warning.quota':
      'Das Modell ist geöffnet, aber nicht für das nächste Mal aufbewahrt: Der Browser hat keinen Platz mehr für diese Seite; lösche aufbewahrte Modelle oder gib Speicherplatz frei.',
    'warning.internal':
      'Das Modell ist geöffnet, aber nicht für das nächste Mal aufbewahrt: Der Speicher des Browsers hat versagt ({detail}).',

    'device.cpu': 'CPU, WebAssembly SIMD, ein Thread',
    'device.cpu.chosen': 'du hast die CPU gewählt',
    'device.webgpu.chosen': 'du hast WebGPU gewählt',
    'device.webgpu.found': 'dieser Browser hat einen WebGPU-Adapter in Hardware',
    'device.webgpu.absent': 'dieser Browser hat kein WebGPU',
    'device.webgpu.no-adapter': 'dieser Browser hat WebGPU, aber keinen Adapter dafür',
    'device.webgpu.refused': 'dieser Browser gibt keinen WebGPU-Adapter her',
    'device.webgpu.silent': 'dieser Browser hat auf die Frage nach einem WebGPU-Adapter nicht geantwortet',
    'device.webgpu.software': 'der WebGPU-Adapter hier ist in Software nachgebildet, und das ist langsamer als die CPU',
    'device.webgpu.not-served': 'das Programm für WebGPU gibt es auf dieser Website nicht',
    'device.webgpu.looking': 'ob es WebGPU gibt, wird gerade festgestellt',
    'device.webgpu.warming': 'WebGPU übernimmt, sobald es bereit ist',
    'device.webgpu.failed': 'WebGPU lief hier nicht an ({reason})',

    'colormap.blue-white-red': 'blau–weiß–rot',

    'method.grad_cam.summary': 'Welche Bereiche dieser Schicht erhöhen die Bewertung?',
    'method.grad_cam.caveat':
      'Das Raster ist grob, und der mittlere Gradient eines Kanals verbirgt Kanäle, die an einer Stelle für die Klasse sprechen und an einer anderen dagegen.',
    'method.grad_cam.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',

    'method.grad_cam_plus_plus.summary':
      'Welche Bereiche dieser Schicht erhöhen die Bewertung, wenn jedes Vorkommen zählt, so klein es auch ist?',
    'method.grad_cam_plus_plus.caveat':
      'Die Gewichte sind für die Exponentialfunktion der Bewertung hergeleitet: Die Karte misst keine Beiträge zur Bewertung selbst.',
    'method.grad_cam_plus_plus.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',
    'method.grad_cam_plus_plus.option.epsilon':
      'wird zum Nenner der Gewichte addiert; pytorch-grad-cam hat 1e-6, torch-cam kommt einem großen gleich',
    'method.grad_cam_plus_plus.option.epsilon.unit': 'quadrierter Gradient',

    'method.hires_cam.summary': 'Wie viel trägt jede Stelle dieser Schicht in erster Näherung zur Bewertung bei?',
    'method.hires_cam.caveat':
      'Das Raster ist grob, und ein Gradient gilt nur in der Nähe: Beiträge, die spätere Schichten sättigen, fehlen.',
    'method.hires_cam.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',

    'method.layer_cam.summary':
      'Welche Stellen dieser Schicht sprechen für die Klasse, jede mit ihrem eigenen Gradienten gewichtet?',
    'method.layer_cam.caveat':
      'Was gegen die Klasse spricht, fehlt, und in flachen Schichten leuchtet jede Kante mit positivem Gradienten.',
    'method.layer_cam.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',

    'method.xgrad_cam.summary':
      'Welche Bereiche erhöhen die Bewertung, wenn jeder Kanal mit seinem Gradienten dort gewichtet wird, wo er aktiv ist?',
    'method.xgrad_cam.caveat':
      'Das Raster ist grob; wo Aktivierungen beide Vorzeichen haben, kann ein Kanal mit einer Summe nahe 0 die anderen übertönen.',
    'method.xgrad_cam.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',

    'method.norm_grad.summary':
      'Welche Stellen würden die Gewichte dieser Schicht am meisten ändern, wenn das Modell an diesem Bild lernte?',
    'method.norm_grad.caveat':
      'Sie hat kein Vorzeichen: Was gegen die Klasse spricht, ist so hell wie das, was für sie spricht.',
    'method.norm_grad.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',

    'method.eigen_cam.summary': 'Wo ist das vorherrschende Muster in den Aktivierungen dieser Schicht?',
    'method.eigen_cam.caveat': 'Die Klasse spielt keine Rolle: Die Karte ist dieselbe, wonach auch gefragt wird.',
    'method.eigen_cam.cost': '1 Vorwärtsdurchlauf bis zur Schicht',
    'method.eigen_cam.values': 'Stellen mit höheren Werten fallen der Schicht stärker auf.',
    'method.eigen_cam.option.centre': 'vor der Zerlegung den Mittelwert jedes Kanals abziehen',

    'method.eigen_grad_cam.summary':
      'Wo ist das vorherrschende Muster in dem, was in dieser Schicht für die Klasse spricht?',
    'method.eigen_grad_cam.caveat':
      'Sie behält eine einzige Richtung unter den Kanälen: Andere Belege gehen verloren, und die Karte muss nicht die Bewertung ergeben.',
    'method.eigen_grad_cam.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf ab der Schicht',
    'method.eigen_grad_cam.citation': 'nach Muhammad and Yeasin 2020',
    'method.eigen_grad_cam.option.centre': 'vor der Zerlegung den Mittelwert jedes Kanals abziehen',

    'method.score_cam.summary':
      'Welche Kanäle dieser Schicht halten, als Masken auf das Bild gelegt, die Bewertung hoch?',
    'method.score_cam.caveat':
      'Eine Maske bringt auch eigene Kanten mit, und ein Softmax über die Bewertungen lässt wenige Kanäle entscheiden.',
    'method.score_cam.cost': '1 Vorwärtsdurchlauf bis zur Schicht und 1 je Maske, so viele wie Kanäle',
    'method.score_cam.option.difference':
      'nach dem Zuwachs gegenüber der Bewertung einer leeren Eingabe gewichten, ohne Softmax',
    'method.score_cam.option.alignCorners':
      'Kanäle von Ecke zu Ecke vergrößern statt nach Pixelmitten, wie pytorch-grad-cam',
    'method.score_cam.option.scaleFirst': 'Kanäle vor dem Vergrößern auf [0, 1] bringen, wie torch-cam',
    'method.score_cam.option.maxChannels': 'wie viele Kanäle gewichtet werden, die mit der größten Varianz; 0 für alle',
    'method.score_cam.option.maxChannels.unit': 'Kanäle',
    'method.score_cam.option.chunkSize': chunkSize,
    'method.score_cam.option.chunkSize.unit': inputs,

    'method.ablation_cam.summary': 'Ohne welche Kanäle dieser Schicht fällt die Bewertung, und wo sind diese aktiv?',
    'method.ablation_cam.caveat':
      'Kanäle werden einzeln entfernt: Belege, die zwei gemeinsam haben, zählen für keinen oder für beide.',
    'method.ablation_cam.cost': '1 Vorwärtsdurchlauf bis zur Schicht und 1 ab der Schicht für jeden ihrer Kanäle',
    'method.ablation_cam.option.replacement':
      'worauf ein Kanal gesetzt wird; weit unter allen Werten ist es, was pytorch-grad-cam in Schichten mit negativen tut',
    'method.ablation_cam.option.replacement.unit': 'Aktivierung',
    'method.ablation_cam.option.maxChannels':
      'wie viele Kanäle gewichtet werden, die mit der größten Varianz; 0 für alle',
    'method.ablation_cam.option.maxChannels.unit': 'Kanäle',
    'method.ablation_cam.option.chunkSize': chunkSize,
    'method.ablation_cam.option.chunkSize.unit': inputs,

    'method.saliency.summary': 'Welche Pixel ändern die Bewertung am meisten, wenn sie sich ein wenig ändern?',
    'method.saliency.caveat':
      'Sie rauscht, und sie zeigt, was die Bewertung ändern würde, nicht, woher sie kommt: Ein entscheidendes Pixel kann einen Gradienten nahe 0 haben.',
    'method.saliency.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf',

    'method.input_x_gradient.summary':
      'Wie viel trägt jedes Pixel zur Bewertung bei, wenn man das Modell um dieses Bild herum als linear behandelt?',
    'method.input_x_gradient.caveat':
      'Das Modell ist nicht linear: Die Beiträge müssen nicht die Bewertung ergeben, und Pixel der mittleren Farbe bekommen nichts.',
    'method.input_x_gradient.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf',

    'method.smooth_grad.summary':
      'Welche Pixel ändern die Bewertung, wenn sie sich ein wenig ändern, im Mittel über verrauschte Kopien des Bilds?',
    'method.smooth_grad.caveat':
      'Der Mittelwert verbirgt, worin sich die Kopien unterscheiden, und zu viel Rauschen ergibt Bilder, die dem Training nicht gleichen.',
    'method.smooth_grad.cost': 'nSamples Vorwärts- und Rückwärtsdurchläufe',
    'method.smooth_grad.option.nSamples': 'wie viele Gradienten gesammelt werden',
    'method.smooth_grad.option.nSamples.unit': 'verrauschte Kopien',
    'method.smooth_grad.option.noiseLevel':
      'Standardabweichung des Rauschens, als Anteil an größtem minus kleinstem Wert der Eingabe',
    'method.smooth_grad.option.noiseLevel.unit': 'des Wertebereichs der Eingabe',
    'method.smooth_grad.option.seed': seed,
    'method.smooth_grad.option.noise': 'standardnormalverteilte Zahlen statt gezogener',
    'method.smooth_grad.option.chunkSize': chunkSize,
    'method.smooth_grad.option.chunkSize.unit': inputs,

    'method.smooth_grad_sq.summary':
      'Welche Pixel ändern die Bewertung am meisten, gleich in welche Richtung, über verrauschte Kopien des Bilds?',
    'method.smooth_grad_sq.caveat':
      'Quadrate heben die stärksten Pixel hervor und verlieren das Vorzeichen: Was für und was gegen die Klasse spricht, sieht gleich aus.',
    'method.smooth_grad_sq.cost': 'nSamples Vorwärts- und Rückwärtsdurchläufe',
    'method.smooth_grad_sq.option.nSamples': 'wie viele Gradienten gesammelt werden',
    'method.smooth_grad_sq.option.nSamples.unit': 'verrauschte Kopien',
    'method.smooth_grad_sq.option.noiseLevel':
      'Standardabweichung des Rauschens, als Anteil an größtem minus kleinstem Wert der Eingabe',
    'method.smooth_grad_sq.option.noiseLevel.unit': 'des Wertebereichs der Eingabe',
    'method.smooth_grad_sq.option.seed': seed,
    'method.smooth_grad_sq.option.noise': 'standardnormalverteilte Zahlen statt gezogener',
    'method.smooth_grad_sq.option.chunkSize': chunkSize,
    'method.smooth_grad_sq.option.chunkSize.unit': inputs,

    'method.var_grad.summary': 'Wo schwankt der Gradient zwischen verrauschten Kopien des Bilds am meisten?',
    'method.var_grad.caveat':
      'Sie sagt, wo das Modell gekrümmt ist, nicht, was für die Klasse spricht: Ein entscheidendes Pixel, das linear wirkt, bekommt 0.',
    'method.var_grad.cost': 'nSamples Vorwärts- und Rückwärtsdurchläufe',
    'method.var_grad.option.nSamples': 'wie viele Gradienten gesammelt werden',
    'method.var_grad.option.nSamples.unit': 'verrauschte Kopien',
    'method.var_grad.option.noiseLevel':
      'Standardabweichung des Rauschens, als Anteil an größtem minus kleinstem Wert der Eingabe',
    'method.var_grad.option.noiseLevel.unit': 'des Wertebereichs der Eingabe',
    'method.var_grad.option.seed': seed,
    'method.var_grad.option.noise': 'standardnormalverteilte Zahlen statt gezogener',
    'method.var_grad.option.chunkSize': chunkSize,
    'method.var_grad.option.chunkSize.unit': inputs,

    'method.guided_backprop.summary':
      'Welche feinen Strukturen aktivieren die Einheiten, die für die Bewertung sprechen?',
    'method.guided_backprop.caveat':
      'Sie zeichnet vor allem die Kanten des Bilds nach, gleich für welche Klasse: Die Karte ist scharf, erklärt aber wenig.',
    'method.guided_backprop.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf',
    'method.guided_backprop.option.rule':
      'was ein ReLU zurückgibt: positive Gradienten seiner aktiven Einheiten oder alle positiven Gradienten',

    'method.guided_grad_cam.summary': 'Welche feinen Strukturen liegen in den Bereichen, die die Bewertung erhöhen?',
    'method.guided_grad_cam.caveat':
      'Die Schärfe ist die von Guided Backpropagation und hängt kaum von der Klasse ab: Nur der Ort kommt von Grad-CAM.',
    'method.guided_grad_cam.cost': '2 Vorwärts- und 2 Rückwärtsdurchläufe, ein Paar davon ab der Schicht',
    'method.guided_grad_cam.option.interpolation': 'wie die Karte der Schicht auf das Raster der Eingabe kommt',

    'method.integrated_gradients.summary':
      'Wie viel trägt jedes Pixel auf dem geraden Weg von einem Vergleichsbild zu diesem Bild zur Bewertung bei?',
    'method.integrated_gradients.caveat':
      'Sie antwortet im Verhältnis zum Vergleichsbild: Was dieses mit dem Foto gemeinsam hat, bekommt nichts.',
    'method.integrated_gradients.cost': 'nSteps Vorwärts- und Rückwärtsdurchläufe für jedes Vergleichsbild',
    'method.integrated_gradients.option.nSteps': 'Punkte auf dem Weg',
    'method.integrated_gradients.option.nSteps.unit': points,
    'method.integrated_gradients.option.baseline': 'das Vergleichsbild; bei mehreren das Mittel über alle',
    'method.integrated_gradients.option.blurSigma': blurSigma,
    'method.integrated_gradients.option.blurSigma.unit': pixels,
    'method.integrated_gradients.option.seed': seed,
    'method.integrated_gradients.option.quadrature': 'die Integrationsregel',
    'method.integrated_gradients.option.tolerance':
      'verdoppelt nSteps, bis der Rest höchstens so groß ist; 0 lässt nSteps',
    'method.integrated_gradients.option.tolerance.unit': "von F(x) - F(x')",
    'method.integrated_gradients.option.maxSteps': 'wo das Verdoppeln mit einer Toleranz endet',
    'method.integrated_gradients.option.maxSteps.unit': points,
    'method.integrated_gradients.option.chunkSize': chunkSize,
    'method.integrated_gradients.option.chunkSize.unit': inputs,

    'method.blur_ig.summary': 'Wie viel trägt jedes Pixel zur Bewertung bei, während das Bild scharf wird?',
    'method.blur_ig.caveat':
      'Was die stärkste Unschärfe übersteht, etwa die Farbe einer großen Fläche, bekommt nichts.',
    'method.blur_ig.cost': 'nSteps Vorwärts- und Rückwärtsdurchläufe',
    'method.blur_ig.option.nSteps': 'Unschärfen auf dem Weg',
    'method.blur_ig.option.nSteps.unit': points,
    'method.blur_ig.option.maxSigma': 'Standardabweichung der stärksten Unschärfe; ihre Varianz, wenn sqrtScale an ist',
    'method.blur_ig.option.maxSigma.unit': pixels,
    'method.blur_ig.option.sqrtScale': 'Varianzen in gleichen Abständen statt Standardabweichungen',
    'method.blur_ig.option.gradStep':
      'wie viel breiter die Unschärfe ist, mit der die Ableitung vergleicht; 0 = die nächste auf dem Weg',
    'method.blur_ig.option.gradStep.unit': pixels,
    'method.blur_ig.option.chunkSize': chunkSize,
    'method.blur_ig.option.chunkSize.unit': inputs,

    'method.guided_ig.summary':
      'Wie viel trägt jedes Pixel auf einem Weg von einem Vergleichsbild zur Bewertung bei, der steile Gradienten meidet?',
    'method.guided_ig.caveat':
      'Der Weg hängt an den letzten Stellen der Gradienten: Bei großen Modellen kann ein anderes Gerät einen anderen nehmen, und die Summe kann die Differenz der Bewertungen weit verfehlen.',
    'method.guided_ig.cost': 'nSteps Vorwärts- und Rückwärtsdurchläufe',
    'method.guided_ig.option.nSteps': 'Punkte auf dem Weg',
    'method.guided_ig.option.nSteps.unit': points,
    'method.guided_ig.option.fraction': 'wie viele Werte, die mit den kleinsten Gradienten, sich zugleich bewegen',
    'method.guided_ig.option.fraction.unit': 'Anteil der Werte',
    'method.guided_ig.option.maxDist':
      'wie weit ein Wert von der Geraden abweichen darf: 0 = Integrated Gradients, 1 = beliebig',
    'method.guided_ig.option.maxDist.unit': 'Anteil des Wegs',
    'method.guided_ig.option.baseline': baseline,
    'method.guided_ig.option.blurSigma': blurSigma,
    'method.guided_ig.option.blurSigma.unit': pixels,
    'method.guided_ig.option.seed': seed,

    'method.xrai.summary': 'Welche Gebiete des Bilds tragen je Pixel am meisten zur Bewertung bei?',
    'method.xrai.caveat':
      'Gebiete entstehen allein aus Farbe: Was sich ein Gebiet mit etwas Wichtigem teilt, sieht ebenso wichtig aus.',
    'method.xrai.cost': '2 nSteps Vorwärts- und Rückwärtsdurchläufe',
    'method.xrai.option.algorithm': 'ob der Gewinn eines Gebiets nach jeder Wahl neu bestimmt wird oder einmal',
    'method.xrai.option.nSteps': 'Punkte auf dem Weg von jedem Vergleichsbild',
    'method.xrai.option.nSteps.unit': points,
    'method.xrai.option.quadrature': 'die Integrationsregel',
    'method.xrai.option.minPixelDiff': 'Gebiete, die weniger Pixel hinzufügen würden, entfallen',
    'method.xrai.option.minPixelDiff.unit': pixels,
    'method.xrai.option.segments': 'Gebiete statt der nach Farbe gefundenen',
    'method.xrai.option.baselines': 'Vergleichsbilder statt Schwarz und Weiß',
    'method.xrai.option.chunkSize': chunkSize,
    'method.xrai.option.chunkSize.unit': inputs,

    'method.lrp.summary':
      'Wie teilt sich die Bewertung auf, wenn jede Einheit ihren Anteil an ihre Eingänge zurückgibt?',
    'method.lrp.caveat':
      'Die Karte folgt aus den gewählten Regeln, nicht allein aus der Funktion des Modells: Andere Regeln ergeben eine andere Karte, und die z+-Regel unterscheidet Klassen kaum.',
    'method.lrp.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf, zwei- bis dreimal so lang wie gewöhnliche',
    'method.lrp.option.epsilon': 'wird zum Betrag der Nenner voll verbundener Schichten addiert',
    'method.lrp.option.composite': 'die Regeln: in der ersten Schicht die flache oder die z+-Regel',

    'method.deep_lift.summary':
      'Wie viel der Differenz zur Bewertung eines Vergleichsbilds geht auf jedes Pixel zurück, Einheit für Einheit verfolgt?',
    'method.deep_lift.caveat':
      'Sie antwortet im Verhältnis zum Vergleichsbild, und zwei Netze, die dieselbe Funktion berechnen, können verschiedene Karten bekommen.',
    'method.deep_lift.cost': '2 Vorwärtsdurchläufe und 1 Rückwärtsdurchlauf',
    'method.deep_lift.option.baseline': baseline,
    'method.deep_lift.option.blurSigma': blurSigma,
    'method.deep_lift.option.blurSigma.unit': pixels,
    'method.deep_lift.option.seed': seed,
    'method.deep_lift.option.pooling':
      'Max-Pooling: Anteile, die aufgehen, oder der einfache Gradient, wie captum hinter einem ReLU',

    'method.salient_relevance.summary': 'Welche Flächen heben sich in der Relevanz von LRP von ihrer Umgebung ab?',
    'method.salient_relevance.caveat':
      'Sie zeigt, wo die Relevanz anders ist als ringsum, dafür oder dagegen, nicht, wie viel es davon gibt.',
    'method.salient_relevance.cost':
      '1 Vorwärts- und 1 Rückwärtsdurchlauf wie LRP und ein Vergleich aller Patches auf der CPU',
    'method.salient_relevance.option.epsilon': 'wird zum Betrag der Nenner voll verbundener Schichten addiert',
    'method.salient_relevance.option.composite': 'die Regeln: in der ersten Schicht die flache oder die z+-Regel',
    'method.salient_relevance.option.neighbours': 'mit wie vielen der ähnlichsten Patches ein Patch verglichen wird',
    'method.salient_relevance.option.neighbours.unit': 'Patches',
    'method.salient_relevance.option.distanceWeight': 'wie viel weniger ein Unterschied in der Ferne zählt',
    'method.salient_relevance.option.attended': 'Auffälligkeit, ab der ein Patch ein Brennpunkt ist',

    'method.attention_rollout.summary':
      'Aus welchen Patches kann Information durch die Aufmerksamkeit aller Blöcke den Klassifikator erreichen?',
    'method.attention_rollout.caveat':
      'Sie ist für jede Klasse gleich: Sie folgt allein der Aufmerksamkeit und weder dem, was weitergegeben wurde, noch dem, was der Klassifikator daraus machte.',
    'method.attention_rollout.cost': '1 Vorwärtsdurchlauf der Blöcke',
    'method.attention_rollout.values': 'Von höheren Werten kommt mehr Aufmerksamkeit an.',
    'method.attention_rollout.option.headFusion': 'wie aus den Köpfen eines Blocks einer wird',
    'method.attention_rollout.option.discard': 'Anteil der kleinsten Einträge jedes Blocks, die als 0 zählen',

    'method.chefer.summary':
      'Durch welche Patches erreicht Aufmerksamkeit, die die Bewertung erhöht, den Klassifikator?',
    'method.chefer.caveat':
      'Aufmerksamkeit, die die Bewertung senkt, fehlt, ebenso alles, was die Bewertung auf anderem Weg erreicht.',
    'method.chefer.cost': '1 Vorwärts- und 1 Rückwärtsdurchlauf der Blöcke',

    'method.raw_attention.summary':
      'Welche Patches betrachtet ein Token in einem Block, mit einem Kopf oder im Mittel über die Köpfe?',
    'method.raw_attention.caveat': 'Sie ist für jede Klasse gleich, und was betrachtet wird, muss nichts ändern.',
    'method.raw_attention.cost': '1 Block vorwärts',
    'method.raw_attention.values': 'Höhere Werte werden stärker betrachtet.',
    'method.raw_attention.option.block': 'der gelesene Block, ab 0; ohne Angabe der letzte',
    'method.raw_attention.option.head': 'der gelesene Kopf, ab 0; ohne Angabe das Mittel über alle',
    'method.raw_attention.option.query':
      'der Patch, der schaut, Zeile für Zeile ab 0; ohne Angabe das, was der Klassifikator liest: der Klassen-Token oder das Mittel der Patches',

    'method.token_cut.summary': 'Welche Patches heben sich ab, wenn man alle nach Ähnlichkeit in zwei Gruppen teilt?',
    'method.token_cut.caveat':
      'Die Klasse spielt keine Rolle, und es gibt immer zwei Gruppen, auch wenn das Bild nur ein Ding zeigt oder keines.',
    'method.token_cut.cost': '1 Block vorwärts',
    'method.token_cut.values': 'Positive Werte sind der Teil, der heraussticht, negative der Rest.',
    'method.token_cut.option.tau': 'Kosinus, über dem zwei Patches einander gleichen',
    'method.token_cut.option.block': 'der gelesene Block, ab 0; ohne Angabe der letzte',

    'method.occlusion.summary': 'Wie weit fällt die Bewertung, wenn ein Fenster diese Stelle verdeckt?',
    'method.occlusion.caveat':
      'Was an zwei Stellen zu sehen ist, entgeht ihr, denn wird eine verdeckt, bleibt die andere; und der Rand des Fensters ist selbst etwas Neues.',
    'method.occlusion.cost':
      'ein Vorwärtsdurchlauf je Fenster: 225 ohne Optionen, etwa 18 s, wo ein Durchlauf 0,08 s dauert',
    'method.occlusion.option.window':
      'die Seite des Fensters, höchstens die kürzere Seite der Eingabe; ohne Angabe ein Achtel davon',
    'method.occlusion.option.window.unit': pixels,
    'method.occlusion.option.stride':
      'von Fenster zu Fenster, höchstens die Seite des Fensters; ohne Angabe die Hälfte davon',
    'method.occlusion.option.stride.unit': pixels,
    'method.occlusion.option.baseline': baseline,
    'method.occlusion.option.blurSigma': blurSigma,
    'method.occlusion.option.blurSigma.unit': pixels,
    'method.occlusion.option.seed': seed,
    'method.occlusion.option.chunkSize': chunkSize,
    'method.occlusion.option.chunkSize.unit': inputs,

    'method.rise.summary':
      'Wie hoch ist die Bewertung im Mittel, wenn eine zufällige Maske diese Stelle sichtbar lässt?',
    'method.rise.caveat':
      'Ein Mittel über zufällige Masken: Das Rauschen schwindet mit der Wurzel ihrer Zahl, und nichts Feineres als die Zelle einer Maske wird sichtbar.',
    'method.rise.cost': 'nSamples Vorwärtsdurchläufe: 400 ohne Optionen, etwa 32 s, wo ein Durchlauf 0,08 s dauert',
    'method.rise.option.nSamples': 'zufällige Masken; der Aufsatz nimmt 4000',
    'method.rise.option.nSamples.unit': 'Masken',
    'method.rise.option.cells': 'Zellen entlang einer Seite des groben Rasters',
    'method.rise.option.cells.unit': 'Zellen',
    'method.rise.option.probability': 'Wahrscheinlichkeit, dass eine Zelle gezeigt wird',
    'method.rise.option.centre': 'die mittlere Bewertung abziehen; ohne ist es die Formel des Aufsatzes',
    'method.rise.option.baseline': baseline,
    'method.rise.option.blurSigma': blurSigma,
    'method.rise.option.blurSigma.unit': pixels,
    'method.rise.option.seed': seed,
    'method.rise.option.chunkSize': chunkSize,
    'method.rise.option.chunkSize.unit': inputs,
    'method.rise.option.masks': 'wie viel vom Foto jedes Pixel zeigt, statt hier gezogener Masken',

    'method.lime.summary':
      'Welche Superpixel sprechen für die Bewertung in einem linearen Modell, das an Kopien des Bilds mit verdeckten Superpixeln angepasst ist?',
    'method.lime.caveat':
      'Ein lineares Modell kann schlecht passen (r2 sagt, wie gut), und die Karte ändert sich mit den Superpixeln und der Breite des Kerns.',
    'method.lime.cost': 'nSamples Vorwärtsdurchläufe: 400 ohne Optionen, etwa 32 s, wo ein Durchlauf 0,08 s dauert',
    'method.lime.option.nSamples': 'zufällige Auswahlen von Superpixeln; der Aufsatz nimmt 1000',
    'method.lime.option.nSamples.unit': 'Stichproben',
    'method.lime.option.nSegments': 'ungefähre Zahl der Superpixel',
    'method.lime.option.nSegments.unit': 'Superpixel',
    'method.lime.option.compactness':
      'Farbunterschied, der so viel wiegt wie die Breite eines Superpixels; je größer, desto quadratischer',
    'method.lime.option.compactness.unit': 'Einheiten von CIELAB',
    'method.lime.option.kernelWidth': 'wie nah eine Stichprobe am ganzen Foto sein muss, um zu zählen',
    'method.lime.option.kernelWidth.unit': 'Kosinusabstand',
    'method.lime.option.ridge': 'Strafe auf die Quadrate der Koeffizienten',
    'method.lime.option.baseline': baseline,
    'method.lime.option.blurSigma': blurSigma,
    'method.lime.option.blurSigma.unit': pixels,
    'method.lime.option.seed': seed,
    'method.lime.option.chunkSize': chunkSize,
    'method.lime.option.chunkSize.unit': inputs,
    'method.lime.option.segmentation': 'das Segment jedes Pixels, statt Superpixeln',
    'method.lime.option.samples': 'die Segmente, die jede Stichprobe zeigt, statt hier gezogener Stichproben',

    'method.kernel_shap.summary':
      'Was ist der gerechte Anteil jedes Superpixels an der Differenz der Bewertungen von Bild und Vergleichsbild?',
    'method.kernel_shap.caveat':
      'Gerecht nach Shapleys Axiomen über Fotos mit Löchern, die das Modell im Training nie sah; eine Schätzung, solange nicht jede Koalition versucht wurde.',
    'method.kernel_shap.cost':
      'nSamples + 1 Vorwärtsdurchläufe: 401 ohne Optionen, etwa 32 s, wo ein Durchlauf 0,08 s dauert',
    'method.kernel_shap.option.nSamples':
      'Koalitionen von Superpixeln, paarweise; alle, wenn es nicht mehr als so viele sind',
    'method.kernel_shap.option.nSamples.unit': 'Koalitionen',
    'method.kernel_shap.option.nSegments': 'ungefähre Zahl der Superpixel',
    'method.kernel_shap.option.nSegments.unit': 'Superpixel',
    'method.kernel_shap.option.compactness':
      'Farbunterschied, der so viel wiegt wie die Breite eines Superpixels; je größer, desto quadratischer',
    'method.kernel_shap.option.compactness.unit': 'Einheiten von CIELAB',
    'method.kernel_shap.option.baseline': baseline,
    'method.kernel_shap.option.blurSigma': blurSigma,
    'method.kernel_shap.option.blurSigma.unit': pixels,
    'method.kernel_shap.option.seed': seed,
    'method.kernel_shap.option.chunkSize': chunkSize,
    'method.kernel_shap.option.chunkSize.unit': inputs,
    'method.kernel_shap.option.segmentation': 'das Segment jedes Pixels, statt Superpixeln',
    'method.kernel_shap.option.samples': 'die Segmente, die jede Stichprobe zeigt, statt hier gezogener Stichproben',

    'choice.guided': 'Guided Backpropagation',
    'choice.deconvolution': 'Deconvolution',
    'choice.bilinear': 'bilinear',
    'choice.nearest': 'nächster Nachbar',
    'choice.mean': 'Mittel',
    'choice.black': 'schwarz',
    'choice.white': 'weiß',
    'choice.blur': 'unscharf',
    'choice.noise': 'Rauschen',
    'choice.gauss_legendre': 'Gauß-Legendre',
    'choice.midpoint': 'Mittelpunkte',
    'choice.trapezoid': 'Trapeze',
    'choice.left': 'linke Enden',
    'choice.right': 'rechte Enden',
    'choice.both_ends': 'beide Enden',
    'choice.full': 'jedes Mal',
    'choice.fast': 'einmal (schnell)',
    'choice.epsilon_plus_flat': 'Epsilon, z+, flach',
    'choice.epsilon_plus': 'Epsilon, z+',
    'choice.rescale': 'Rescale',
    'choice.gradient': 'Gradient',
    'choice.max': 'Maximum',
    'choice.min': 'Minimum',
  },
};

/** What the element says beside them. @type {import('../element/strings.js').OwnStrings} */
export const element = {
  locale: 'de',
  page: 'Sightline: wohin das Modell geschaut hat',
  working: 'In Arbeit',
  stages: {
    download: 'Das Modell wird geladen',
    wasm: 'Das Programm wird geladen',
    device: 'Das Gerät wird gestartet',
    weights: 'Die Gewichte werden geladen',
  },
  compute: '{method} wird berechnet',
  cancel: 'Abbrechen',
  retry: 'Noch einmal versuchen',
  caption: '{method} für {target}',
  predicted: 'Das Modell sagt {prediction}.',
  speaks: 'Höhere Werte sprechen für die Klasse.',
  matters: 'Von Stellen mit höheren Werten hängt die Bewertung stärker ab.',
  both: 'Positive Werte sprechen für die Klasse, negative dagegen.',
  clipped: 'Die Skala endet beim {percentile}. Perzentil.',
  empty: 'Auf dieser Skala hat die Karte nichts zu zeigen.',
  scale: 'Farbskala von {lo} bis {hi}',
  photo: 'Foto',
  heatmap: '{alt}: {caption}. {sentence}',
  method: 'Methode',
  classes: 'Klasse',
  opacity: 'Deckkraft',
  colours: 'Farben',
  save: 'Als PNG speichern',
  ask: 'Das Modell sieht {prediction}. Wohin muss es für {target} geschaut haben? Male die Stelle an und zeige dann die Karte.',
  askSaved: 'Wohin muss das Modell für {target} geschaut haben? Male die Stelle an und zeige dann die Karte.',
  keys: 'Pfeiltasten bewegen den Pinsel, die Leertaste malt, Umschalt und Pfeiltasten malen unterwegs, Entf radiert, Plus und Minus ändern die Größe.',
  area: 'Malfläche',
  at: 'Zeile {row}, Spalte {column} von {of}: {painted}',
  painted: 'bemalt',
  unpainted: 'nicht bemalt',
  brush: 'Pinsel',
  erase: 'Radieren',
  clear: 'Leeren',
  reveal: 'Karte zeigen',
  again: 'Neu malen',
  score:
    'Deine Fläche macht {area} dessen aus, was das Modell sah, und enthält {share} der positiven Attribution; eine zufällig gelegte Fläche dieser Größe enthielte im Mittel {area}. Überlappung mit den stärksten {top} (Schnitt durch Vereinigung): {iou}.',
  noScore: 'Diese Karte hat keinen positiven Wert; es gibt nichts zu vergleichen.',
};
