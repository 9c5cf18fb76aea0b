/// The page's frame: landmarks, headings and empty places that the script fills.
let pageHTML = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Tribune</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="tribune.css">
    <script type="module" src="tribune.js"></script>
    </head>
    <body>
    <a class="skip" href="#main">Skip to content</a>
    <header>
      <div class="bar">
        <h1><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 9 12 3l9 6zM5 11v7M10 11v7M14 11v7M19 11v7M3 20h18"/></svg>Tribune</h1>
        <nav aria-label="Sections">
          <a href="#rollouts">Rollouts</a>
          <a href="#alerts">Alerts</a>
          <a href="#bottlenecks">Bottlenecks</a>
          <a href="#targets">Targets</a>
          <a href="#rules">Rules</a>
          <a href="#query">Query</a>
          <a href="#ledger">Ledger</a>
        </nav>
        <p id="connection" role="status">connecting …</p>
      </div>
    </header>
    <main id="main" tabindex="-1">
      <noscript><p class="notice bad">This page needs JavaScript. The API behind it is at <a href="../api/v1/alerts">api/v1</a>.</p></noscript>
      <ul id="figures" class="figures" aria-label="Overview"></ul>
      <section id="rollouts" aria-labelledby="rollouts-title">
        <h2 id="rollouts-title">Rollouts</h2>
        <div class="content"></div>
      </section>
      <section id="alerts" aria-labelledby="alerts-title">
        <h2 id="alerts-title">Alerts</h2>
        <div class="content"></div>
      </section>
      <section id="bottlenecks" aria-labelledby="bottlenecks-title">
        <h2 id="bottlenecks-title">Bottlenecks</h2>
        <div class="content"></div>
      </section>
      <section id="targets" aria-labelledby="targets-title">
        <h2 id="targets-title">Targets</h2>
        <div class="content"></div>
      </section>
      <section id="rules" aria-labelledby="rules-title">
        <h2 id="rules-title">Rules</h2>
        <div class="content"></div>
      </section>
      <section id="query" aria-labelledby="query-title">
        <h2 id="query-title">Query</h2>
        <form>
          <label class="wide" for="expression">PromQL expression</label>
          <textarea id="expression" name="expr" rows="2" spellcheck="false" autocapitalize="off" autocomplete="off"
            placeholder="rate(tribune_http_requests_total[5m])" aria-describedby="query-hint"></textarea>
          <div class="controls">
            <label>Range
              <select name="range">
                <option value="300">5 minutes</option>
                <option value="900">15 minutes</option>
                <option value="3600" selected>1 hour</option>
                <option value="21600">6 hours</option>
                <option value="86400">1 day</option>
              </select>
            </label>
            <button type="submit" class="primary">Run</button>
            <span id="query-hint" class="quiet">Enter runs, Shift+Enter starts a new line</span>
          </div>
        </form>
        <div class="content" aria-live="polite"></div>
      </section>
      <section id="ledger" aria-labelledby="ledger-title">
        <h2 id="ledger-title">Ledger</h2>
        <div class="content"></div>
      </section>
    </main>
    <footer><p class="quiet" id="build"></p></footer>
    <dialog id="command" aria-labelledby="command-title">
      <form method="dialog">
        <h2 id="command-title"></h2>
        <p id="command-text"></p>
        <label>Reason, for the ledger <input name="reason" maxlength="200" autocomplete="off"></label>
        <label>Token, if this server asks for one <input name="token" type="password" autocomplete="off"></label>
        <p class="notice bad" id="command-error" role="alert" hidden></p>
        <div class="controls">
          <button value="cancel" formnovalidate>Cancel</button>
          <button value="confirm" class="primary" id="command-confirm"></button>
        </div>
      </form>
    </dialog>
    </body>
    </html>

    """#
