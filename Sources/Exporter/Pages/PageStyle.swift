/// The look of the page: one column that becomes a grid where there is room; colours follow the system's theme.
let pageStyle = #"""
    :root {
      color-scheme: light dark;
      --back: #f6f7f9; --card: #ffffff; --line: #dfe3ea; --text: #1a2230; --quiet: #5b6675; --accent: #2456c8;
      --good: #11703c; --good-back: #e0f3e7; --warn: #8a5300; --warn-back: #fdf0d5; --bad: #b3202c; --bad-back: #fde5e6;
      --stable: #3b6fd4; --candidate: #2f9e6e; --radius: 10px;
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --back: #0e131b; --card: #171e29; --line: #2a3443; --text: #e6ebf2; --quiet: #9aa7b8; --accent: #86aefc;
        --good: #6fd49b; --good-back: #12301f; --warn: #f0bb62; --warn-back: #372707; --bad: #ff9097; --bad-back: #3f161a;
        --stable: #6b9bff; --candidate: #49c38d;
      }
    }
    * { box-sizing: border-box; }
    html { scroll-padding-top: 4rem; }
    body { margin: 0; background: var(--back); color: var(--text); }
    a { color: var(--accent); }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
    .skip { position: absolute; left: -100vw; }
    .skip:focus { left: 1rem; top: .5rem; z-index: 3; background: var(--card); padding: .5rem 1rem; }
    header { position: sticky; top: 0; z-index: 2; background: var(--card); border-bottom: 1px solid var(--line); }
    .bar { max-width: 78rem; margin: 0 auto; padding: .55rem 1rem; display: flex; align-items: center; gap: .4rem 1.4rem; }
    h1 { font-size: 1.15rem; margin: 0; display: flex; align-items: center; gap: .5rem; letter-spacing: .01em; }
    h1 svg { width: 1.5rem; fill: none; stroke: var(--accent); stroke-width: 1.7; stroke-linejoin: round; stroke-linecap: round; }
    nav { display: flex; gap: .2rem; overflow-x: auto; flex: 1; }
    nav a { color: var(--quiet); text-decoration: none; padding: .3rem .6rem; border-radius: 6px; white-space: nowrap; }
    nav a:hover { color: var(--text); background: var(--back); }
    #connection { margin: 0; font-size: .85rem; color: var(--quiet); white-space: nowrap; }
    main { max-width: 78rem; margin: 0 auto; padding: 1rem; display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); outline: none; }
    footer { max-width: 78rem; margin: 0 auto; padding: 0 1rem 2rem; font-size: .85rem; }
    section { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); padding: 1rem 1.1rem; min-width: 0; }
    h2 { font-size: 1rem; margin: 0 0 .6rem; display: flex; align-items: baseline; gap: .6rem; }
    h2 .count { font-weight: 400; font-size: .85rem; color: var(--quiet); }
    h3 { font-size: .95rem; margin: 0; }
    .quiet { color: var(--quiet); }
    .empty { color: var(--quiet); margin: 0; }
    .figures { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
    .figures a { display: block; height: 100%; padding: .7rem .9rem; background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: var(--radius); color: inherit; text-decoration: none; }
    .figures a:hover { border-color: var(--accent); }
    .figures .value { display: block; font-size: 1.45rem; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
    .figures .name { font-size: .85rem; color: var(--quiet); }
    .figures .good a { border-left-color: var(--good); } .figures .warn a { border-left-color: var(--warn); }
    .figures .bad a { border-left-color: var(--bad); } .figures .bad .value { color: var(--bad); }
    .badge { display: inline-block; padding: .05rem .5rem; border-radius: 99px; font-size: .8rem; font-weight: 600; white-space: nowrap; background: var(--back); color: var(--quiet); border: 1px solid var(--line); }
    .badge.good { color: var(--good); background: var(--good-back); border-color: transparent; }
    .badge.warn { color: var(--warn); background: var(--warn-back); border-color: transparent; }
    .badge.bad { color: var(--bad); background: var(--bad-back); border-color: transparent; }
    .notice { border-radius: 6px; padding: .5rem .8rem; margin: .6rem 0 0; overflow-wrap: anywhere; }
    .notice.bad { background: var(--bad-back); color: var(--bad); } .notice.warn { background: var(--warn-back); color: var(--warn); }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-size: .9rem; }
    caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    th, td { text-align: left; padding: .38rem .8rem .38rem 0; border-top: 1px solid var(--line); vertical-align: top; }
    thead th { border-top: 0; color: var(--quiet); font-weight: 500; font-size: .8rem; }
    td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    tbody th { font-weight: 600; } tbody th p, tbody th code { font-weight: 400; margin: 0; color: var(--quiet); }
    tbody th p.notice { margin-top: .4rem; color: var(--bad); }
    time, .badge { white-space: nowrap; }
    code, .labels, textarea { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .85em; }
    .labels, td code { display: inline-block; min-width: 13rem; overflow-wrap: break-word; } th code { overflow-wrap: anywhere; }
    .labels i { font-style: normal; color: var(--quiet); }
    .subject { max-width: 20rem; overflow-wrap: break-word; }
    .particulars { width: 50%; min-width: 14rem; } .particulars details, .particulars summary { padding: 0; border: 0; }
    .particulars summary { flex-wrap: nowrap; overflow-wrap: anywhere; }
    pre { margin: .4rem 0; max-height: 24rem; overflow: auto; font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
    .plan + .plan { margin-top: 1.2rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
    .plan-head { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; margin-bottom: .6rem; }
    .plan-head .buttons { margin-left: auto; display: flex; flex-wrap: wrap; gap: .4rem; }
    h3 + .timeline { margin-top: .5rem; }
    .empty + h3, .scroll + h3 { margin-top: 1rem; }
    .plan-body { display: grid; gap: 1rem 2rem; grid-template-columns: minmax(0, 1fr); }
    .weight { display: flex; align-items: center; gap: .6rem; min-width: 11rem; }
    .weight .track { flex: 1; height: .7rem; border-radius: 99px; background: var(--stable); overflow: hidden; display: flex; justify-content: flex-end; min-width: 5rem; }
    .weight .track span { background: var(--candidate); width: var(--share, 0%); border-left: 2px solid var(--card); }
    .weight > span:last-child { min-width: 6.5rem; font-size: .85rem; line-height: 1.3; }
    .weight .track span[data-none] { border: 0; }
    .timeline { list-style: none; margin: 0; padding: 0 0 0 1rem; border-left: 2px solid var(--line); font-size: .9rem; }
    .timeline li { position: relative; padding: .1rem 0 .45rem; }
    .timeline li::before { content: ""; position: absolute; left: -1.35rem; top: .5rem; width: .55rem; height: .55rem; border-radius: 50%; background: var(--accent); border: 2px solid var(--card); }
    .timeline time, .timeline .delta { color: var(--quiet); font-size: .82rem; font-variant-numeric: tabular-nums; margin-right: .5rem; }
    details { border-top: 1px solid var(--line); padding: .4rem 0; } details:first-child { border-top: 0; }
    summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline; padding: .15rem 0; }
    summary::before { content: "▸"; color: var(--quiet); } details[open] > summary::before { content: "▾"; }
    summary::-webkit-details-marker { display: none; }
    button { font: inherit; font-size: .88rem; padding: .32rem .8rem; border-radius: 6px; border: 1px solid var(--line); background: var(--card); color: var(--text); cursor: pointer; }
    button:hover { border-color: var(--accent); }
    button.primary { background: var(--accent); border-color: var(--accent); color: var(--card); font-weight: 600; }
    button.danger { color: var(--bad); }
    button:disabled { opacity: .55; cursor: default; }
    textarea, input, select { font-size: .95rem; width: 100%; padding: .5rem .65rem; border: 1px solid var(--line); border-radius: 6px; background: var(--back); color: var(--text); }
    select { width: auto; padding: .3rem .5rem; margin-left: .35rem; font: inherit; font-size: .88rem; }
    textarea { resize: vertical; display: block; }
    label.wide { display: block; color: var(--quiet); font-size: .85rem; margin-bottom: .25rem; }
    .controls { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: center; margin-top: .6rem; font-size: .88rem; }
    .graph { width: 100%; height: auto; display: block; margin: .8rem 0 .3rem; touch-action: pan-y; }
    .graph text { fill: var(--quiet); font-size: 11px; } .graph .grid { stroke: var(--line); stroke-width: 1; }
    .graph .series { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .graph .cursor { stroke: var(--quiet); stroke-dasharray: 3 3; }
    .swatch { display: inline-block; width: .75rem; height: .75rem; border-radius: 3px; margin-right: .5rem; vertical-align: -1px; }
    dialog { border: 1px solid var(--line); border-radius: var(--radius); background: var(--card); color: var(--text); width: min(32rem, calc(100vw - 2rem)); padding: 1.2rem; }
    dialog::backdrop { background: rgb(0 0 0 / 45%); }
    dialog label { display: block; margin-top: .7rem; font-size: .88rem; color: var(--quiet); } dialog .controls { justify-content: flex-end; margin-top: 1rem; }
    @media (min-width: 60rem) {
      main { grid-template-columns: repeat(2, minmax(0, 1fr)); }
      .figures, #rollouts, #alerts, #rules, #query, #ledger { grid-column: 1 / -1; }
      .plan-body { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
    }
    @media (max-width: 40rem) {
      .bar { flex-wrap: wrap; } nav { order: 3; flex-basis: 100%; } #connection { margin-left: auto; }
      .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } html { scroll-padding-top: 6rem; }
      .stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      .stacked tr { display: flex; flex-wrap: wrap; gap: .1rem .7rem; border-top: 1px solid var(--line); padding: .4rem 0; }
      .stacked td, .stacked th { border: 0; padding: 0; min-width: 0; } .stacked tbody th, .particulars { flex-basis: 100%; max-width: 100%; }
      section { padding: .9rem; } .plan-head .buttons { margin-left: 0; flex-basis: 100%; }
    }
    @media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } .weight .track span { transition: width .4s; } }

    """#
