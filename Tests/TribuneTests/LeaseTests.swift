import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Two real Tribunes that share a real PostgreSQL, in front of a stand-in for a router that keeps what it was told in
/// files.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct LeaseTests {
    /// The database, the routers, and the configuration of both nodes.
    private final class World {
        let server: PostgresServer
        let routers = TemporaryDirectory()
        var nodes: [RunningTribune] = []

        init() throws {
            server = try PostgresServer()
            for service in ["auth", "ac"] {
                set(service, candidate: 0)
                setHealth(of: service, true)
            }
            routers.write("", to: "log")
            // Refuses nothing, so that the tests see who tried what.
            routers.write(
                """
                #!/bin/bash
                input=$(cat)
                echo "$TRIBUNE_EPOCH $1 $(sed 's/.*"stable":[0-9]*,"candidate":\\([0-9]*\\).*/\\1/' <<<"$input")" >> \(routers.path)/log
                sed 's/.*"candidate":\\([0-9]*\\).*/\\1/' <<<"$input" > \(routers.path)/$1.new
                mv \(routers.path)/$1.new \(routers.path)/$1
                """, to: "shift")
            routers.write(
                """
                #!/bin/bash
                candidate=$(cat \(routers.path)/$1)
                echo "{\\"stable\\": $((100 - candidate)), \\"candidate\\": $candidate, \\"stable_healthy\\": $(cat \(routers.path)/$1.health)}"
                """, to: "read")
            for _ in 0..<2 { try nodes.append(RunningTribune(files)) }
        }

        func set(_ service: String, candidate: Int) { routers.write("\(candidate)\n", to: service) }
        func setHealth(of service: String, _ isHealthy: Bool) {
            routers.write("\(isHealthy)\n", to: "\(service).health")
        }
        func candidate(_ service: String) -> Int? {
            FileText.read(routers.file(service)).flatMap { Int($0.filter(\.isNumber)) }
        }

        /// The epochs under which shifts came, in order.
        var epochs: [Int] {
            (FileText.read(routers.file("log")) ?? "").split(whereSeparator: \.isNewline).compactMap { line in
                line.split(separator: " ").first.flatMap { Int($0) }
            }
        }

        private var files: [String: String] {
            func service(_ name: String, _ more: String) -> String {
                """
                - name: \(name)
                  \(more)
                  routes:
                  - exec:
                      shift: [bash, \(routers.file("shift")), \(name)]
                      read: [bash, \(routers.file("read")), \(name)]

                """
            }
            return [
                "prometheus.yml": "global: {scrape_interval: 1s}\n",
                "plan.yml": """
                plan: acgs
                stages: [50, 100]
                bake: 1h
                settle: 0s
                max_concurrent: 2
                reconcile: 200ms
                validation: {rounds: 2, interval: 50ms, timeout: 20s}
                services:

                """ + service("auth", "priority: 1") + service("ac", "priority: 0"),
                "tribune.yml": """
                prometheus_config: prometheus.yml
                plans: [plan.yml]
                history: {postgres: {connection: '\(server.address)'}}
                lease: {postgres: {connection: '\(server.address)'}, ttl: 4s}
                """,
            ]
        }

        /// The state of the plan according to `node`.
        func details(_ node: RunningTribune) -> JSON? {
            guard let body = try? node.get("/api/v1/rollouts/acgs").body else { return nil }
            return (try? JSON(parsing: body))?["data"]?["details"]
        }

        func standing(_ node: RunningTribune) -> String? { details(node)?["lease"]?["standing"]?.text }

        /// The node that leads, and the other one.
        func leader() throws -> (leader: RunningTribune, standby: RunningTribune) {
            var index: Int?
            let isThere = Loopback.eventually {
                index = nodes.firstIndex { standing($0) == "leading" }
                return index != nil
                    && nodes.contains { node in
                        let lease = details(node)?["lease"]
                        return lease?["standing"]?.text == "standby" && lease?["holder"]?.text?.isEmpty == false
                    }
            }
            try #require(isThere, "\(nodes.map(\.log))")
            return (nodes[index!], nodes[1 - index!])
        }

        func order(_ node: RunningTribune, _ verb: String) throws -> Int {
            try Int(node.post("/api/v1/rollouts/acgs/\(verb)").status)
        }

        /// Starts a rollout and waits until both services are watched at 50 %.
        func start(_ node: RunningTribune) throws {
            #expect(try order(node, "start") == 200)
            let isBaking = Loopback.eventually {
                (details(node)?["services"]?.elements ?? []).map { $0["progress"]?.text } == ["baking", "baking"]
            }
            try #require(isBaking, "\(details(node)?.encoded ?? "") \(node.log)")
        }

        /// The output of `query`.
        @discardableResult
        func query(_ query: String) throws -> String {
            let program = try #require(PostgresServer.programDirectory) + "/psql"
            let output = routers.file("psql")
            unlink(output)
            let socket = server.address.split(separator: " ")[0].dropFirst("host=".count)
            let exit = try ChildProcess(
                [program, "-h", String(socket), "-U", "tribune", "-d", "postgres", "-Atc", query], output: .file(output)
            ).wait()
            #expect(exit == .code(0))
            return FileText.read(output) ?? ""
        }

        /// Whether the last record of the plan that reached the database is of `step`.
        func hasKept(_ step: String) throws -> Bool {
            try JSON(parsing: query("SELECT record FROM tribune.rollout"))["step"]?.text == step
        }
    }

    @Test("if the leader is killed during a rollback, the standby ends it under a higher epoch")
    func killed() throws {
        let world = try World()
        let (leader, standby) = try world.leader()
        #expect(try world.order(standby, "start") == 409, "a standby takes no orders")
        try world.start(leader)
        // It shows what the leader has recorded.
        let isShown = Loopback.eventually {
            let details = world.details(standby)
            return (details?["services"]?.elements ?? []).map { $0["progress"]?.text } == ["baking", "baking"]
                && details?["phase"]?.text == "promoting" && details?["recorded_at"]?.text != nil
        }
        #expect(isShown, "\(world.details(standby)?.encoded ?? "")")
        #expect(world.details(standby)?["obstacle"] == .null)
        #expect(world.details(leader)?["recorded_at"] == .null)
        // auth cannot go back: the rollback stops in its middle.
        world.setHealth(of: "auth", false)
        #expect(try world.order(leader, "rollback") == 200)
        #expect(Loopback.eventually { world.candidate("ac") == 0 })
        #expect(try Loopback.eventually { try world.hasKept("isolated") })
        let before = world.epochs
        leader.process.signal(SIGKILL)
        _ = leader.process.wait()
        world.setHealth(of: "auth", true)
        let isBack = Loopback.eventually { world.details(standby)?["phase"]?.text == "rolled_back" }
        #expect(isBack, "\(standby.log)")
        #expect(world.candidate("auth") == 0)
        #expect(world.candidate("ac") == 0)
        let details = try #require(world.details(standby))
        #expect(details["rollback"]?["id"]?.text == "acgs-1-1", "it is the same rollback")
        #expect(details["rollback"]?["valid"] == true)
        #expect(details["lease"]?["standing"]?.text == "leading")
        #expect(world.epochs.dropFirst(before.count).allSatisfy { $0 > before.last ?? 0 })
        let metrics = String(decoding: try standby.get("/metrics").body, as: UTF8.self)
        #expect(metrics.contains("tribune_lease_holder 1\n"))
        #expect(metrics.contains("tribune_lease_epoch \(details["lease"]?["epoch"]?.integer ?? 0)\n"))
        // The dead one comes back and only watches.
        try leader.restart()
        #expect(Loopback.eventually { world.standing(leader) == "standby" })
    }

    @Test("a standby that cannot read the leader's record goes on with the routes: back, and not up")
    func unknownVersion() throws {
        let world = try World()
        let (leader, standby) = try world.leader()
        try world.start(leader)
        #expect(try Loopback.eventually { try world.hasKept("baking") })
        leader.process.signal(SIGKILL)
        _ = leader.process.wait()
        try world.query("UPDATE tribune.rollout SET record = '{\"format\": 99}'")
        let isLeading = Loopback.eventually { world.standing(standby) == "leading" }
        try #require(isLeading, "\(standby.log)")
        let isTold = Loopback.eventually {
            world.details(standby)?["loss"]?.text?.contains("the previous leader has an unknown version; kept as")
                == true
        }
        #expect(isTold, "\(world.details(standby)?.encoded ?? "")")
        let isRebuilt = Loopback.eventually {
            let details = world.details(standby)
            return details?["phase"]?.text == "paused"
                && (details?["services"]?.elements ?? []).map { $0["candidate"]?.integer } == [50, 50]
        }
        #expect(isRebuilt, "\(world.details(standby)?.encoded ?? "")")
        #expect(world.candidate("auth") == 50)
        #expect(try world.order(standby, "resume") == 409)
        #expect(try world.order(standby, "abort") == 200)
        #expect(Loopback.eventually { world.details(standby)?["phase"]?.text == "rolled_back" }, "\(standby.log)")
        #expect(world.candidate("auth") == 0)
        #expect(world.candidate("ac") == 0)
        #expect(try world.order(standby, "acknowledge") == 200)
    }

    @Test("a leader suspended for longer than its lease does nothing when it resumes")
    func stopped() throws {
        let world = try World()
        let (leader, standby) = try world.leader()
        try world.start(leader)
        let old = try #require(world.epochs.last)
        leader.process.signal(SIGSTOP)
        let isTaken = Loopback.eventually { world.standing(standby) == "leading" }
        try #require(isTaken, "\(standby.log)")
        let isPaused = Loopback.eventually { world.details(standby)?["phase"]?.text == "paused" }
        #expect(isPaused, "what the old leader did last is not certain")
        #expect(try world.order(standby, "abort") == 200)
        #expect(Loopback.eventually { world.details(standby)?["phase"]?.text == "rolled_back" })
        // For the sleeper this is drift: live 0, wanted 50.
        let before = world.epochs.count
        leader.process.signal(SIGCONT)
        #expect(Loopback.eventually { world.standing(leader) == "standby" })
        #expect(try world.order(leader, "rollback") == 409)
        world.set("auth", candidate: 30)
        #expect(Loopback.eventually { world.candidate("auth") == 0 }, "the new leader corrects drift")
        #expect(world.epochs.dropFirst(before).allSatisfy { $0 > old }, "\(world.epochs)")
    }

    @Test("without the database the leader still rolls back, but does not promote")
    func databaseGone() throws {
        let world = try World()
        let (leader, standby) = try world.leader()
        try world.start(leader)
        world.server.kill()
        #expect(Loopback.eventually { world.standing(leader) == "alone" })
        #expect(Loopback.eventually { world.details(leader)?["obstacle"]?.text == "the lease cannot be renewed" })
        #expect(world.standing(standby) == "standby")
        #expect(try world.order(leader, "rollback") == 200)
        #expect(Loopback.eventually { world.details(leader)?["phase"]?.text == "rolled_back" })
        #expect(world.candidate("auth") == 0)
        try world.server.start()
        // The leader is then undefined, but no action is lost.
        let (next, _) = try world.leader()
        #expect(Loopback.eventually { world.details(next)?["phase"]?.text == "rolled_back" })
    }

    @Test("a leader that stops normally releases the lease, and the standby continues")
    func handedOver() throws {
        let world = try World()
        let (leader, standby) = try world.leader()
        try world.start(leader)
        #expect(leader.process.stop(graceMilliseconds: 20_000) == .code(0))
        let isTaken = Loopback.eventually { world.standing(standby) == "leading" }
        try #require(isTaken, "\(standby.log)")
        #expect(Loopback.eventually { world.details(standby)?["phase"]?.text == "promoting" })
        #expect(try world.order(standby, "promote") == 200)
        #expect(Loopback.eventually { world.candidate("auth") == 100 && world.candidate("ac") == 100 })
    }
}
