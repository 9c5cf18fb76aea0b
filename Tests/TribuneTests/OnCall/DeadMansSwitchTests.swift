import Foundation
import Runtime
import Synchronization
import TestSupport
import Testing

/// The ping outside that ends when a thread of a running Tribune stands still. The threads are stopped one kind after
/// the other by `ptrace`, which leaves the rest of the process running.
@Suite struct DeadMansSwitchTests {
    /// Stops the threads of a process whose names begin with a text, until its input ends.
    private static let stopper = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        SEIZE, INTERRUPT = 0x4206, 0x4207
        pid, prefix = sys.argv[1], sys.argv[2]
        stopped = 0
        for tid in os.listdir(f"/proc/{pid}/task"):
            if not open(f"/proc/{pid}/task/{tid}/comm").read().startswith(prefix): continue
            for request in (SEIZE, INTERRUPT):
                if libc.ptrace(request, int(tid), 0, 0) != 0:
                    sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
            stopped += 1
        print(f"stopped {stopped}", flush=True)
        import signal
        signal.pause()
        """

    private static let files = [
        "prometheus.yml": """
        global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
        rule_files: [rules.yml]
        scrape_configs: [{job_name: web, static_configs: [{targets: ['HOST']}]}]
        """,
        "rules.yml": "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]\n",
        "alertmanager.yml": "route: {receiver: quiet}\nreceivers: [{name: quiet}]\n",
        "plan.yml": """
        plan: shop
        stages: [100]
        services:
        - name: web
          routes: [{haproxy: {address: /nonexistent/admin.sock, stable: [web/blue], candidate: [web/green]}}]
        """,
        "tribune.yml": """
        prometheus_config: prometheus.yml
        alertmanager_config: alertmanager.yml
        plans: [plan.yml]
        dead_mans_switch: {url: 'http://HOST/ping', every: 1s, within: 1s}
        """,
    ]

    @Test func `the ping ends while any kind of thread stands still, and comes back`() throws {
        let pings = Atomic(0)
        let server = LoopbackServer { request in
            guard request.target == "/ping" else { return .ok("up_value 1\n") }
            let number = pings.add(1, ordering: .relaxed).newValue
            // A ping that fails is one that others miss; the next one comes in its time.
            return number == 1 ? .ok("", status: "500 Internal Server Error") : .ok("")
        }
        defer { server.stop() }
        let host = server.url.replacing("http://", with: "")
        let tribune = try RunningTribune(Self.files.mapValues { $0.replacing("HOST", with: host) })
        #expect(Loopback.eventually { pings.load(ordering: .relaxed) > 2 }, "\(tribune.log)")
        #expect(tribune.log.contains("ping failed"))
        func withheld() -> [Substring] { tribune.log.split(separator: "\n").filter { $0.contains("ping withheld") } }

        let directory = TemporaryDirectory()
        let program = directory.write(Self.stopper, to: "stopper.py")
        let kinds = [
            ("scrape-0", "scraping"), ("scrape-targets", "scrape targets"), ("scrape-work", "storing scrapes"),
            ("scrape-slow", "long scrapes"), ("rule-clock", "rule clock"), ("rules-", "rule evaluation"),
            ("plan shop", "plan shop"), ("router ", "router "), ("notify", "notification"), ("oncall", "on-call"),
        ]
        for (thread, name) in kinds {
            var isSeen = false
            // A thread may be stopped while it holds a lock that the log needs too. Then no ping is sent either, but
            // nothing is logged: let it go, and stop it elsewhere.
            for attempt in 1...5 where !isSeen {
                let output = directory.file("out-\(thread)-\(attempt)")
                // Other loops of the scraper go on: each is asked for itself.
                let helper = try ChildProcess(
                    ["/usr/bin/env", "python3", program, String(tribune.process.processID), thread],
                    output: .file(output))
                defer { _ = helper.wait() }
                defer { helper.signal(SIGKILL) }
                #expect(
                    Loopback.eventually { (FileText.read(output) ?? "").contains(/stopped [1-9]/) },
                    "\(thread): \(FileText.read(output) ?? "")")
                let before = withheld().count
                guard Loopback.eventually(within: 20, { withheld().count > before }) else { continue }
                isSeen = true
                // From the first ping that was left out on, none is sent.
                let sent = pings.load(ordering: .relaxed)
                let first = withheld().count
                #expect(Loopback.eventually { withheld().count > first + 1 })
                #expect(pings.load(ordering: .relaxed) == sent, "\(thread)")
                #expect(withheld().last?.contains(name) == true, "\(thread): \(withheld().last ?? "")")
                helper.signal(SIGKILL)
                #expect(Loopback.eventually { pings.load(ordering: .relaxed) > sent }, "\(thread) turns over again")
            }
            #expect(isSeen, "\(thread) stands still, and nobody notices")
        }
    }

    @Test func `a router command that takes longer than the switch waits is no thread that stands still`() throws {
        let pings = Atomic(0)
        let server = LoopbackServer { request in
            if request.target == "/ping" { pings.add(1, ordering: .relaxed) }
            return .ok("up_value 1\n")
        }
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let log = directory.file("commands")
        var files = Self.files
        // Each reading takes six times as long as the switch waits, and less than the plan allows.
        files["plan.yml"] = """
            plan: shop
            stages: [100]
            services:
            - name: web
              routes:
              - exec: {shift: [/bin/true], read: [/bin/sh, -c, 'echo begins >>\(log); sleep 6; echo ends >>\(log); exit 1']}
                timeout: 60s
            """
        let host = server.url.replacing("http://", with: "")
        let tribune = try RunningTribune(files.mapValues { $0.replacing("HOST", with: host) })
        func count(_ word: String) -> Int { (FileText.read(log) ?? "").split(separator: "\n").count { $0 == word } }
        #expect(Loopback.eventually { count("ends") >= 2 }, "\(tribune.log)")
        #expect(!tribune.log.contains("ping withheld"), "\(tribune.log)")
        #expect(Loopback.eventually { pings.load(ordering: .relaxed) > 3 }, "\(tribune.log)")
    }

    @Test func `a section that makes no sense is refused with its field`() throws {
        let directory = TemporaryDirectory()
        for (text, fault) in [
            ("{every: 1m}", "dead_mans_switch: expected url or url_file"),
            ("{url: 'ftp://a'}", "dead_mans_switch.url: expected an address"),
            ("{url: 'http://a', every: 2d}", "dead_mans_switch.every: must be 1s to 1d"),
            ("{url: 'http://a', every: 10s, within: 11s}", "dead_mans_switch.within: must be 100ms to `every`"),
        ] {
            let file = directory.write(
                "prometheus_config: prometheus.yml\ndead_mans_switch: \(text)\n", to: "tribune.yml")
            directory.write("scrape_configs: []\n", to: "prometheus.yml")
            let checked = try TribuneProgram.run(["check", "config", file])
            #expect(checked.exit == .code(1) && (checked.output + checked.errors).contains(fault), "\(checked)")
        }
    }
}
