/** The charts of the last hour, drawn by uPlot on a canvas: its colours come from the style sheet, its data from the gateway. */
import { Component } from './preact.js';
import { html } from './html.js';

/** @typedef {{at: string, requests: number, errors: number, p99_ms: number | null}} Tick */
/** @typedef {{label: string, colour: string, wash?: string, of: (tick: Tick) => number | null, text: (value: number) => string}} Line */

const HEIGHT = 170;
const TEN_MINUTES = 600;
const dark = matchMedia('(prefers-color-scheme: dark)');

/** @extends {Component<{title: string, ticks: Tick[], lines: Line[]}>} */
export class Chart extends Component {
  /** @type {HTMLElement | null} */
  #place = null;
  /** @type {any} */
  #plot = null;
  #resize = new ResizeObserver(([{ contentRect: { width } }]) => this.#plot?.setSize({ width, height: HEIGHT }));
  #repaint = () => this.#draw();

  componentDidMount() {
    this.#draw();
    this.#resize.observe(/** @type {HTMLElement} */ (this.#place));
    dark.addEventListener('change', this.#repaint);
  }

  componentDidUpdate() {
    this.#plot?.setData(this.#data());
  }

  componentWillUnmount() {
    this.#resize.disconnect();
    dark.removeEventListener('change', this.#repaint);
    this.#plot?.destroy();
  }

  #data() {
    const { ticks, lines } = this.props;
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
      stroke: colour('--ink-soft'), font: '12px system-ui, sans-serif', ticks: { show: false }, grid: { stroke: colour('--line'), width: 1 },
    };
    const { lines } = this.props;
    // @ts-expect-error uPlot is a classic script and stands on the window
    this.#plot = new window.uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      padding: [10, 8, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { x: { range: atLeastTenMinutes }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _least, /** @type {number} */ most) => [0, Math.max(most * 1.15, 1)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 70, values: (/** @type {any} */ _plot, /** @type {number[]} */ at) => at.map((seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })) },
        { ...axis, size: 60, space: 34, values: (/** @type {any} */ _plot, /** @type {number[]} */ values) => values.map((value) => lines[0].text(value)) },
      ],
      series: [
        { label: 'Time', value: (/** @type {any} */ _plot, /** @type {number | null} */ seconds) => (seconds ? new Date(seconds * 1000).toLocaleTimeString() : '–') },
        ...lines.map(({ label, colour: name, wash, text }) => ({
          label, stroke: colour(name), fill: wash && colour(wash), width: 1.5, points: { show: false }, spanGaps: false,
          value: (/** @type {any} */ _plot, /** @type {number | null} */ value) => (value === null || value === undefined ? '–' : text(value)),
        })),
      ],
    }, this.#data(), place);
  }

  render() {
    const { title } = this.props;
    return html`
      <figure class="panel chart" aria-label=${title}>
        <figcaption>${title}</figcaption>
        <div ref=${(/** @type {any} */ element) => { this.#place = element; }}></div>
      </figure>`;
  }
}

/** A gateway that has just started would stretch its first seconds over the whole width. @param {unknown} _plot @param {number | null} from @param {number | null} to */
function atLeastTenMinutes(_plot, from, to) {
  const end = to ?? Date.now() / 1000;
  return [Math.min(from ?? end, end - TEN_MINUTES), end];
}
