import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

@Suite struct VerdictTests {
    @Test("Flagger promotes a good release, rolls back the next, bad one, and begins a third after the cooldown")
    func flagger() throws {
        let judge = try JudgingTribune()
        let good = FlaggerLoop(judge, checksum: "85d557f47b")
        #expect(good.run { good.phase == .succeeded }, "\(good.log.suffix(8)) \(good.answers)")
        #expect(good.failedChecks == 0)
        #expect(good.answers["rollback"]?.hasPrefix("409 no rollback: release test/podinfo@85d557f47b is ") == true)
        #expect(try judge.verdict()["outcome"]?.text == "Succeeded")

        let bad = FlaggerLoop(judge, checksum: "6c9f8d7b55")
        judge.canary.failing = 30
        #expect(bad.run { bad.phase == .failed }, "\(bad.log.suffix(8)) \(bad.answers)")
        let reason = try #require(bad.answers["rollback"])
        #expect(reason.hasPrefix("200 roll back release test/podinfo@6c9f8d7b55: ErrorsHigh tripped at "), "\(reason)")
        #expect(reason.contains("> 0.05"))
        #expect(bad.failedChecks == 0 && !bad.log.contains("confirm-promotion 200"))
        #expect(Loopback.eventually { (try? judge.alertNames().contains("TribuneVerdictViolated")) == true })
        let rules = try judge.tribune.get("/api/v1/rules").body
        #expect(String(decoding: rules, as: UTF8.self).contains("ErrorsHigh"))

        judge.canary.failing = 0
        let third = FlaggerLoop(judge, checksum: "7f7f7f7f7f")
        #expect(third.run { third.phase == .succeeded }, "\(third.log.suffix(8)) \(third.answers)")

        #expect(
            Loopback.eventually {
                let states = (try? judge.recorded()) ?? []
                return states.filter { $0 == "began" }.count == 3 && states.filter { $0 == "ended" }.count == 3
                    && states.contains("tripped") && states.last == "ended"
            }, "\((try? judge.recorded()) ?? [])")
        let metrics = String(decoding: try judge.tribune.get("/metrics").body, as: UTF8.self)
        #expect(metrics.contains("tribune_verdict_answers_total{verdict=\"healthy\"}"))
        #expect(metrics.contains("tribune_verdict_state{verdict=\"podinfo\",state=\"unknown\"} 1"), "\(metrics)")
    }

    @Test("a release without data stays where it is: nobody promotes it, and nobody takes it back")
    func withoutData() throws {
        let judge = try JudgingTribune()
        judge.canary.state.withLock { $0.isMeasured = false }
        let flagger = FlaggerLoop(judge, checksum: "85d557f47b")
        #expect(flagger.run { judge.canary.weight == 20 }, "\(flagger.log)")
        let steps = flagger.log.count
        #expect(flagger.run { flagger.log.count > steps + 40 })
        #expect(judge.canary.weight == 20 && flagger.phase == .progressing && flagger.failedChecks == 0)
        #expect(flagger.answers["confirm-traffic-increase"]?.contains("ErrorsHigh has no data") == true)
        #expect(Loopback.eventually { (try? judge.alertNames().contains("TribuneVerdictWithoutData")) == true })

        var argo = ArgoAnalysis(judge, release: "5f6f8b8d5c", inconclusiveLimit: 3)
        var phase = ArgoAnalysis.Phase.running
        for _ in 0..<4 { phase = argo.measure() }
        #expect(phase == .inconclusive)
    }

    @Test("a restart in the middle is no health, and forgets no trip")
    func restart() throws {
        let judge = try JudgingTribune()
        let flagger = FlaggerLoop(judge, checksum: "85d557f47b")
        #expect(flagger.run { judge.canary.weight == 40 }, "\(flagger.log.suffix(8)) \(flagger.answers)")
        judge.tribune.process.signal(SIGKILL)
        _ = judge.tribune.process.wait()
        try judge.tribune.restart()
        #expect(flagger.run { judge.canary.weight == 60 }, "\(flagger.log.suffix(8)) \(flagger.answers)")
        judge.canary.failing = 30
        var argo = ArgoAnalysis(judge, release: "test/podinfo@85d557f47b", inconclusiveLimit: 1000)
        #expect(Loopback.eventually { argo.measure() == .failed })
        judge.tribune.process.signal(SIGKILL)
        _ = judge.tribune.process.wait()
        // It serves without errors when Tribune is back.
        judge.canary.failing = 0
        try judge.tribune.restart()
        var again = ArgoAnalysis(judge, release: "test/podinfo@85d557f47b")
        #expect(again.measure() == .failed)
        #expect(flagger.run { flagger.phase == .failed }, "\(flagger.log.suffix(8))")
        let states = try judge.recorded()
        #expect(states.filter { $0 == "began" }.count == 1, "\(states)")
    }

    @Test("Argo Rollouts finishes an analysis of a good release, aborts that of a bad one, and a person ends it")
    func argo() throws {
        let judge = try JudgingTribune()
        judge.canary.weight = 20
        var good = ArgoAnalysis(judge, release: "5f6f8b8d5c", count: 60, inconclusiveLimit: 59)
        var phase = ArgoAnalysis.Phase.running
        #expect(
            Loopback.eventually {
                phase = good.measure()
                usleep(50_000)
                return phase != .running
            })
        #expect(phase == .successful)

        var bad = ArgoAnalysis(judge, release: "6d7d8d9dcc", inconclusiveLimit: 100_000)
        judge.canary.failing = 30
        #expect(
            Loopback.eventually {
                phase = bad.measure()
                return phase != .running
            })
        #expect(phase == .failed)
        #expect(try judge.verdict()["verdict"]?.text == "violated")
        judge.canary.failing = 0
        let ended = try TribuneProgram.run([
            "verdict", "end", "podinfo", "--server=http://127.0.0.1:\(judge.tribune.port)",
            "--token-file=\(judge.tribune.directory.file("run/\(judge.tribune.port).token"))",
        ])
        #expect(ended.output == "podinfo: the release ended\n", "\(ended.errors)")
        #expect(
            Loopback.eventually {
                var again = ArgoAnalysis(judge, release: "6d7d8d9dcc", count: 1)
                return again.measure() == .successful
            })
        let status = try TribuneProgram.run([
            "verdict", "status", "podinfo", "--server=http://127.0.0.1:\(judge.tribune.port)",
            "--token-file=\(judge.tribune.directory.file("run/\(judge.tribune.port).token"))",
        ])
        #expect(status.output.hasPrefix("podinfo: healthy, release 6d7d8d9dcc since "), "\(status.output)")
    }

    @Test("without credentials nobody asks, and a name that is not configured is no verdict")
    func refused() throws {
        let judge = try JudgingTribune()
        #expect(try judge.tribune.get("/api/v1/verdicts/podinfo?release=x").status == 401)
        #expect(try judge.verdict()["state"]?.text == "none")
        let client = RawHTTPClient(port: judge.tribune.port)
        client.send(
            "GET /api/v1/verdicts/other HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(judge.token)\r\n\r\n")
        #expect(client.answer()?.status == 404)
    }

    @Test("a rule that names no verdict of the configuration is refused, and a verdict without a rule is warned of")
    func names() throws {
        let directory = TemporaryDirectory()
        func check(_ verdicts: String, _ action: String) throws -> TribuneProgram.Result {
            directory.write("rule_files: [rules.yml]\n", to: "prometheus.yml")
            directory.write(
                "groups:\n- name: g\n  rules:\n  - {rollback: R, expr: x, trip: '> 1', action: \(action)}\n",
                to: "rules.yml")
            let path = directory.write("prometheus_config: prometheus.yml\nverdicts: \(verdicts)\n", to: "tribune.yml")
            return try TribuneProgram.run(["check", "config", path])
        }
        let good = try check("[{name: web}]", "{verdict: web}")
        #expect(good.exit == .code(0) && good.output.contains("verdict web: rule R judges its release"), "\(good)")
        let unknown = try check("[{name: web}]", "{verdict: wob}")
        #expect(unknown.exit == .code(1), "\(unknown)")
        #expect(
            unknown.output.contains("rules.yml:4:") && unknown.output.contains("verdicts of tribune.yml has no \"wob\"")
        )
        let both = try check("[{name: web}]", "{verdict: web, plan: shop}")
        #expect(both.output.contains("an action with \"verdict\" has no other field"), "\(both)")
        let bare = try check("[{name: web}, {name: api}]", "{verdict: web}")
        #expect(bare.errors.contains("verdict api: no rollback rule in mode enforce judges it"), "\(bare)")
        for (verdicts, text) in [
            ("[{name: ../x}]", "a name has 1 to 100 letters"),
            ("[{name: web}, {name: web}]", "another verdict is named"),
            ("[{name: web, plan: x}]", "plan"), ("[{}]", "name"),
        ] {
            let result = try check(verdicts, "{verdict: web}")
            #expect(result.exit == .code(1) && result.output.contains(text), "\(verdicts): \(result)")
        }
    }
}
