/** The charts of the last hour, drawn by uPlot on a canvas: its colours come from the style sheet, its data from the gateway. */
import { Component } from './preact.js';
import { html } from './html.js';
import { clock } from './format.js';

/**
 * @typedef {{at: string, requests: number, errors: number, p50_ms: number, p95_ms: number, p99_ms: number, connections: number, websockets: number}} Tick
 * @typedef {{label: string, colour: string, wash?: string, of: (tick: Tick) => number, text: (value: number) => string}} Line
 */

const HEIGHT = 150;
const TEN_MINUTES = 600;
const dark = matchMedia('(prefers-color-scheme: dark)');

/** @extends {Component<{title: string, ticks: Tick[], lines: Line[]}, {under: number | null}>} */
export class Chart extends Component {
  /** Which tick is under the pointer; else the latest is told. */
  state = { under: /** @type {number | null} */ (null) };
  /** @type {HTMLElement | null} */
  #place = null;
  /** @type {any} */
  #plot = null;
  /** @type {Tick[] | null} */
  #drawn = null;
  #resize = new ResizeObserver(([{ contentRect: { width } }]) => this.#plot?.setSize({ width, height: HEIGHT }));
  #repaint = () => this.#draw();

  componentDidMount() {
    this.#draw();
    this.#resize.observe(/** @type {HTMLElement} */ (this.#place));
    dark.addEventListener('change', this.#repaint);
  }

  componentDidUpdate() {
    // The page is drawn again every second, the history changes every ten.
    if (this.props.ticks !== this.#drawn) this.#plot?.setData(this.#data());
  }

  componentWillUnmount() {
    this.#resize.disconnect();
    dark.removeEventListener('change', this.#repaint);
    this.#plot?.destroy();
  }

  #data() {
    const { ticks, lines } = this.props;
    this.#drawn = ticks;
    return [ticks.map(({ at }) => Date.parse(at) / 1000), ...lines.map(({ of }) => ticks.map(of))];
  }

  #draw() {
    const place = /** @type {HTMLElement} */ (this.#place);
    this.#plot?.destroy();
    const style = getComputedStyle(place);
    // Custom properties keep `light-dark()` unresolved, so each colour goes once through a real property.
    const colour = (/** @type {string} */ name) => {
      place.style.color = `var(${name})`;
      const value = style.color;
      place.style.color = '';
      return value;
    };
    const axis = {
      stroke: colour('--ink-soft'), font: '11px Inter, system-ui, sans-serif', ticks: { show: false }, grid: { stroke: colour('--line'), width: 1 },
    };
    const { lines } = this.props;
    // @ts-expect-error uPlot is a classic script and stands on the window
    this.#plot = new window.uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      legend: { show: false },
      scales: { x: { range: atLeastTenMinutes }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _least, /** @type {number} */ most) => [0, Math.max(most * 1.15, 1)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 64, values: (/** @type {any} */ _plot, /** @type {number[]} */ at) => at.map((seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })) },
        { ...axis, size: 48, space: 30, values: (/** @type {any} */ _plot, /** @type {number[]} */ values) => values.map((value) => lines[0].text(value)) },
      ],
      series: [
        {},
        ...lines.map(({ label, colour: name, wash }) => ({
          label, stroke: colour(name), fill: wash && colour(wash), width: 1.5, points: { show: false }, spanGaps: false,
        })),
      ],
      hooks: { setCursor: [(/** @type {any} */ plot) => { if ((plot.cursor.idx ?? null) !== this.state.under) this.setState({ under: plot.cursor.idx ?? null }); }] },
    }, this.#data(), place);
  }

  render() {
    const { title, ticks, lines } = this.props;
    const tick = ticks[this.state.under ?? ticks.length - 1];
    return html`
      <figure class="panel chart" aria-label=${title}>
        <figcaption>
          <strong>${title}</strong>
          ${this.state.under !== null && tick && html`<time datetime=${tick.at}>${clock(tick.at)}</time>`}
          <span class="legend">${lines.map(({ label, colour, of, text }) => html`<span key=${label}><i class="line ${colour.slice(2)}"></i>${label} <b>${tick ? text(of(tick)) : '–'}</b></span>`)}</span>
        </figcaption>
        <div ref=${(/** @type {any} */ element) => { this.#place = element; }}></div>
      </figure>`;
  }
}

/** A gateway that has just started would stretch its first seconds over the whole width. @param {unknown} _plot @param {number | null} from @param {number | null} to */
function atLeastTenMinutes(_plot, from, to) {
  const end = to ?? Date.now() / 1000;
  return [Math.min(from ?? end, end - TEN_MINUTES), end];
}
