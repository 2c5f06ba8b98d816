/** The plot of a bench: a bar for the ratio of each comparison, with a mark at what it had to reach. */
import { init } from 'echarts';
import { figureOf, isReached, type Row } from './row';

const WIDTH = 1000;
const ROW_HEIGHT = 34;
/** Above and below the bars. */
const REST_HEIGHT = 120;
/** For the names of the measures. */
const LEFT = 470;
const [REACHED, MISSED, LIMIT] = ['#3b7dd8', '#e08a2e', '#222222'];

/** @returns an SVG of those rows that stand beside something */
export function plotOf(rows: readonly Row[]): string {
  const compared = rows.filter(({ beside }) => beside !== undefined);
  const height = REST_HEIGHT + ROW_HEIGHT * compared.length;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: {
      text: 'Time as a multiple of what it stands beside',
      subtext: 'Less is better. The line is what is to be reached.',
      left: 'center',
    },
    grid: { left: LEFT, right: 70, top: 70, bottom: 40 },
    xAxis: { type: 'value', min: 0 },
    yAxis: {
      ...{ type: 'category', inverse: true, data: compared.map(nameOf) },
      axisLabel: { width: LEFT - 20, overflow: 'break', lineHeight: 13, fontSize: 11 },
    },
    series: [
      {
        ...{ type: 'bar', barWidth: 14 },
        data: compared.map((row) => ({
          value: Number(figureOf(row).toFixed(3)),
          itemStyle: { color: isReached(row) === false ? MISSED : REACHED },
          label: labelOf(row, figureOf(row) >= (limitOf(row) ?? 0)),
        })),
      },
      {
        ...{ type: 'scatter', symbol: 'rect', symbolSize: [2, 24], z: 3, itemStyle: { color: LIMIT } },
        data: compared.map((row, i) => ({
          value: [limitOf(row), i],
          label: labelOf(row, figureOf(row) < (limitOf(row) ?? 0)),
        })),
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

const nameOf = ({ measure, latency, beside }: Row): string =>
  `${measure}${latency === undefined ? '' : `, latency ${latency}`}\nbeside ${beside?.name}`;

/** Right of whatever reaches further. */
const labelOf = (row: Row, show: boolean): object => ({
  ...{ show, position: 'right', distance: 8, color: LIMIT, formatter: figureOf(row).toFixed(2) },
});

function limitOf({ toReach }: Row): number | null {
  if (!toReach) return null;
  return 'atMost' in toReach ? toReach.atMost : toReach.atLeast;
}
