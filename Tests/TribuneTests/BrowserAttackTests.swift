import CurlHTTP
import JSON
import Runtime
import TestSupport
import Testing

/// Pages of other sites in a real browser: Chromium, with the address of the person who is logged in.
@Suite(.enabled(if: Chromium.isThere)) struct BrowserAttackTests {
    private static let files = [
        "prometheus.yml": "global: {}\n",
        "plan.yml": """
        plan: shop
        stages: [50, 100]
        bake: 1h
        settle: 0s
        services: [{name: web, routes: [{exec: {shift: ["true"], read: [echo, '{"stable":100,"candidate":0}']}}]}]
        """,
        "tribune.yml": "prometheus_config: prometheus.yml\nplans: [plan.yml]\n",
    ]

    /// The page as the browser has it after its scripts have ended.
    private func page(_ url: String) throws -> String {
        let profile = TemporaryDirectory()
        // Every name outside of this machine is this machine: the browser resolves what an attacker would have in the
        // DNS.
        let result = try TribuneProgram.run(program: [
            Chromium.program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--user-data-dir=\(profile.path)", "--host-resolver-rules=MAP evil.example 127.0.0.1",
            "--virtual-time-budget=8000", "--dump-dom", url,
        ])
        return result.output
    }

    /// A page that sends everything that a page may send to another site without asking it first, and what it may not.
    private static func attack(_ target: String) -> String {
        """
        <html><body><pre id=out></pre>
        <form id=form method=post action="\(target)/api/v1/rollouts/shop/start" target=frame enctype="text/plain">
        <input name=a value=b></form><iframe name=frame></iframe>
        <img src="\(target)/api/v1/rollouts/shop/start"><img src="\(target)/-/quit">
        <script>
        const log = text => document.getElementById("out").textContent += text + "\\n";
        const json = '[{"labels":{"alertname":"FromAPage"}}]';
        const tries = [
          ["/api/v1/write", {body: new Blob([new Uint8Array([1, 2, 3])])}],
          ["/api/v2/alerts", {body: new Blob([json])}],
          ["/api/v2/alerts", {body: json, headers: {"Content-Type": "text/plain"}}],
          ["/api/v2/alerts", {body: json, headers: {"Content-Type": "application/json"}, mode: "cors"}],
          ["/api/v2/silences", {body: new Blob(['{"matchers":[{"name":"a","value":"b","isRegex":false}],'
            + '"startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"x","comment":"y"}'])}],
          ["/api/v1/rollouts/shop/start", {body: new URLSearchParams({reason: "x"})}],
          ["/-/reload", {}], ["/-/quit", {}],
          ["/api/v1/safety/checkpoint", {body: new Blob(["{}"])}],
        ];
        document.getElementById("form").submit();
        navigator.sendBeacon("\(target)/api/v2/alerts", new Blob([json]));
        (async () => {
          for (const [path, options] of tries) {
            try {
              const response = await fetch("\(target)" + path,
                {method: "POST", mode: "no-cors", credentials: "include", ...options});
              log(path + " " + response.type + " " + response.status);
            } catch (error) { log(path + " failed"); }
          }
          log("done");
        })();
        </script></body></html>
        """
    }

    private func counts(_ tribune: RunningTribune) throws -> [Int] {
        try ["/api/v2/alerts", "/api/v2/silences"].map { path in
            try JSON(parsing: tribune.get(path).body).elements?.count ?? -1
        }
    }

    @Test(arguments: ["evil.example", "localhost"]) func aPageOfAnotherSiteChangesNothing(host: String) throws {
        let tribune = try RunningTribune(
            Self.files, flags: ["--web.enable-lifecycle", "--web.enable-remote-write-receiver"])
        let attacker = LoopbackServer { [port = tribune.port] _ in
            .ok(Self.attack("http://127.0.0.1:\(port)"), type: "text/html")
        }
        defer { attacker.stop() }
        let shown = try page("http://\(host):\(attacker.port)/")
        #expect(shown.contains("done"), "the scripts have not run: \(shown)")
        #expect(try counts(tribune) == [0, 0])
        #expect(try tribune.get("/api/v1/rollouts/shop").body.contains("idle"))
        #expect(try tribune.query("{__name__=~\".+\"}") == [:])
        #expect(try tribune.get("/-/healthy").status == 200)
    }

    @Test func aNameThatIsResolvedToThisMachineReadsNothing() throws {
        let tribune = try RunningTribune(Self.files)
        let shown = try page("http://evil.example:\(tribune.port)/api/v1/rollouts")
        #expect(shown.contains("is not one of this server") && !shown.contains("shop"), "\(shown)")
        #expect(try page("http://127.0.0.1:\(tribune.port)/api/v1/rollouts").contains("shop"))
    }

    @Test func aPageCannotFrameTheApplication() throws {
        let tribune = try RunningTribune(Self.files)
        let attacker = LoopbackServer { [port = tribune.port] _ in
            .ok(
                """
                <html><body><iframe id=f src="http://127.0.0.1:\(port)/ui/"></iframe><pre id=out></pre><script>
                document.getElementById("f").onload = () => {
                  let seen = "";
                  try { seen = document.getElementById("f").contentWindow.location.href; } catch { seen = "opaque"; }
                  document.getElementById("out").textContent = "loaded " + seen + " " + window.frames[0].length;
                };
                </script></body></html>
                """, type: "text/html")
        }
        defer { attacker.stop() }
        // Chromium loads its own page about the refusal into the frame.
        let shown = try page("http://localhost:\(attacker.port)/")
        #expect(shown.contains("loaded"))
        let headers = try tribune.get("/ui/").headers
        #expect(
            headers.contains {
                $0.name.lowercased() == "content-security-policy" && $0.value.contains("frame-ancestors 'none'")
            })
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool { String(decoding: self, as: UTF8.self).contains(text) }
}

/// Debian's Chromium.
private enum Chromium {
    static let program = "/usr/bin/chromium"

    static let isThere: Bool = {
        let isThere = Paths.exists(program)
        if !isThere { print("skipped: chromium is not installed") }
        return isThere
    }()
}
