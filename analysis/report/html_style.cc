#include "analysis/report/html_style.h"

namespace kbench::analysis {

const char kHtmlStyle[] = R"css(
:root {
  color-scheme: light dark;
  --bg: #ffffff; --fg: #1b1f24; --muted: #5b6470; --line: #d5dae0; --soft: #f4f6f8;
  --warn-bg: #fff6e0; --warn-line: #e0a100; --grid: #e6e9ed;
  --wait: #a3a9b1; --encode: #0072b2; --submit: #3f63d9; --send: #56b4e9; --network: #e69f00; --server: #009e73;
  --receive: #cc79a7; --decode: #6a4fb0;
  --s0: #0072b2; --s1: #d55e00; --s2: #00835f; --s3: #b04f86; --s4: #9a6a00; --s5: #555b63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171b; --fg: #e6e9ed; --muted: #9aa4b0; --line: #343b44; --soft: #1c2127;
    --warn-bg: #2c2512; --warn-line: #c08a00; --grid: #262c33;
    --wait: #868d96; --encode: #2f8fd0; --submit: #7b93ee; --send: #7cc6f0; --network: #e6a21a; --server: #1fae85;
    --receive: #d68db5; --decode: #9b84dd;
    --s0: #4aa8e6; --s1: #f0803c; --s2: #34c49b; --s3: #dd93bd; --s4: #e0b040; --s5: #b6bcc4;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 64px; max-width: 1120px; background: var(--bg);
  color: var(--fg); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 6px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 18px 0 2px; }
p { margin: 4px 0 10px; }
.muted, .note { color: var(--muted); }
.note { font-size: 13.5px; max-width: 88ch; }
.meta { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 6px 0 18px; padding: 0;
  list-style: none; color: var(--muted); font-size: 13.5px; }
.meta b { color: var(--fg); font-weight: 600; }
.caveats { background: var(--warn-bg); border-left: 4px solid var(--warn-line); padding: 10px 16px;
  border-radius: 3px; }
.caveats h2 { margin: 0 0 4px; padding: 0; border: 0; font-size: 17px; }
.caveats ul { margin: 0; padding-left: 18px; }
.caveats li { margin: 5px 0; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; margin: 8px 0;
  padding: 0; font-size: 13.5px; }
.legend li { display: flex; align-items: center; gap: 6px; }
.scroll { overflow-x: auto; }
.scroll > svg { display: block; width: 100%; min-width: 720px; height: auto; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 8px 20px; }
.grid svg { display: block; width: 100%; max-width: 380px; height: auto; }
svg text { fill: var(--fg); font-size: 13px; font-family: inherit; }
svg text.small { font-size: 12px; }
svg text.muted { fill: var(--muted); }
svg .number { font-variant-numeric: tabular-nums; }
.axis { stroke: var(--muted); stroke-width: 1; }
.grid-line, line.grid { stroke: var(--grid); stroke-width: 1; }
.part { stroke: var(--bg); stroke-width: 1; }
.part-wait { fill: var(--wait); } .part-client_encode { fill: var(--encode); }
.part-client_submit { fill: var(--submit); }
.part-client_send { fill: var(--send); } .part-network { fill: var(--network); }
.part-server { fill: var(--server); } .part-client_receive { fill: var(--receive); }
.part-client_decode { fill: var(--decode); }
.part-network-server { fill: url(#hatch-network-server); }
.part-network-client_receive { fill: url(#hatch-network-client_receive); }
.part-network-server-client_receive {
  fill: url(#hatch-network-server-client_receive); }
.part-client_send-network { fill: url(#hatch-client_send-network); }
.part-client_send-network-server { fill: url(#hatch-client_send-network-server); }
.part-client_send-network-client_receive {
  fill: url(#hatch-client_send-network-client_receive); }
.part-client_send-network-server-client_receive {
  fill: url(#hatch-client_send-network-server-client_receive); }
.plate { fill: var(--bg); opacity: 0.88; rx: 3px; }
svg text.in-wait, svg text.in-client_send, svg text.in-network,
svg text.in-client_receive { fill: #111; font-size: 12px; }
svg text.in-client_encode, svg text.in-client_submit, svg text.in-server, svg text.in-client_decode { fill: #fff;
  font-size: 12px; }
@media (prefers-color-scheme: dark) {
  svg text.in-client_encode, svg text.in-client_submit, svg text.in-server, svg text.in-client_decode { fill: #111; }
}
.curve { fill: none; stroke-width: 1.8; stroke: currentColor; }
.mark { stroke: none; fill: currentColor; }
.bar { fill: currentColor; opacity: 0.45; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }
.curve.s1, .curve.s4 { stroke-dasharray: 7 3; }
.curve.s2, .curve.s5 { stroke-dasharray: 2 3; }
.whisker { stroke: var(--fg); stroke-width: 1.4; }
.dot { fill: var(--bg); stroke: var(--fg); stroke-width: 1.2; }
.switch { font-size: 13.5px; }
.switch + label { margin-right: 14px; }
.shares { display: none; }
#scale-shares:checked ~ .absolute { display: none; }
#scale-shares:checked ~ .shares { display: block; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums;
  margin: 6px 0 14px; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
th { font-weight: 600; white-space: nowrap; background: var(--soft); }
th:first-child, td:first-child { padding-left: 8px; }
table.sortable th { cursor: pointer; }
table.sortable th[aria-sort=ascending]::after { content: " \25b2"; }
table.sortable th[aria-sort=descending]::after { content: " \25bc"; }
td.wrap { overflow-wrap: anywhere; }
.said { padding-left: 20px; } .said li { margin: 4px 0; }
details { margin: 8px 0; } summary { cursor: pointer; font-weight: 600; }
@media print { details > * { display: block; } body { max-width: none; } }
)css";

const char kHtmlScript[] = R"js(
document.querySelectorAll('table.sortable').forEach(function (table) {
  table.querySelectorAll('th').forEach(function (th, column) {
    th.tabIndex = 0;
    function sort() {
      var up = th.getAttribute('aria-sort') !== 'ascending';
      var rows = Array.from(table.tBodies[0].rows);
      var key = function (row) {
        var text = row.cells[column].textContent, number = parseFloat(text);
        return th.className === 'n' && !isNaN(number) ? number : text;
      };
      rows.sort(function (a, b) {
        var x = key(a), y = key(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      });
      rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
      table.querySelectorAll('th').forEach(function (other) { other.removeAttribute('aria-sort'); });
      th.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    }
    th.addEventListener('click', sort);
    th.addEventListener('keydown', function (e) { if (e.key === 'Enter') sort(); });
  });
});
)js";

}  // namespace kbench::analysis
