import { AXIS, COLOURS, FONT_STACK, GRID, INK, MUTED, SERIES, SURFACE } from '../draw/palette.js';

const dark = [...COLOURS].map(
  ([light, other]) => `figure svg [fill="${light}"]{fill:${other}}figure svg [stroke="${light}"]{stroke:${other}}`,
);

/** The page in light and dark. Charts are drawn in light colours, of which each has a dark one. */
export const STYLE = `
:root{color-scheme:light dark;--ink:${INK.light};--muted:${MUTED.light};--grid:${GRID.light};--axis:${AXIS.light};--surface:${SURFACE.light};--page:#f6f7f9;--link:${SERIES[0].light};--good:${SERIES[2].light};--bad:${SERIES[1].light}}
@media (prefers-color-scheme:dark){:root{--ink:${INK.dark};--muted:${MUTED.dark};--grid:${GRID.dark};--axis:${AXIS.dark};--surface:${SURFACE.dark};--page:#0d1014;--link:${SERIES[0].dark};--good:${SERIES[2].dark};--bad:${SERIES[1].dark}}
${dark.join('\n')}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 ${FONT_STACK};-webkit-text-size-adjust:100%}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 16px}
header{padding-top:28px}footer{padding-bottom:40px;color:var(--muted);font-size:13px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:20px;margin:40px 0 6px;padding-top:14px;border-top:1px solid var(--grid)}
h3{font-size:16px;margin:22px 0 6px}h4{font-size:14.5px;line-height:1.35;margin:0 0 8px}
p{margin:8px 0;max-width:76ch;overflow-wrap:anywhere}.muted,figcaption{color:var(--muted)}
a{color:var(--link)}nav ul{list-style:none;margin:10px 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 18px}
.line{display:block}.in{padding-left:1.2em}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:16px;margin:14px 0}
figure{display:flex;flex-direction:column;margin:0;padding:14px;background:var(--surface);border:1px solid var(--grid);border-radius:6px;min-width:0}
figure svg{display:block;width:100%;height:auto;max-width:520px}
@media (min-width:848px){.charts>figure:last-child:nth-child(odd){grid-column:1/-1}}
figcaption{font-size:13px;line-height:1.45;margin-top:6px}
.tools{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 14px;font-size:13px;margin-top:auto;padding-top:8px}
details{min-width:0}details[open]{flex-basis:100%}summary{cursor:pointer;color:var(--link)}
.scroll{overflow-x:auto;max-width:100%;margin:8px 0;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;background:var(--surface)}
th,td{padding:4px 10px;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top;white-space:nowrap;font-weight:400}
thead th{vertical-align:bottom;color:var(--muted);border-bottom-color:var(--axis)}
.n{text-align:right}td.w{white-space:normal;min-width:32ch}header td.w{min-width:26ch}.o{white-space:nowrap}
.verdict{border-left:3px solid var(--bad);padding:2px 0 2px 12px;margin:12px 0}.verdict.holds{border-left-color:var(--good)}
.verdict p{margin:0}
@media (max-width:480px){figure{padding:10px 8px}main,header,footer{padding:0 10px}h1{font-size:22px}header td.w{min-width:60ch}}
@media print{body{background:none}figure{break-inside:avoid}.tools a{display:none}}
`.trim();
