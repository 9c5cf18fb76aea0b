import CurlHTTP
import Glibc
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

/// Overrides that are planned while the service runs: commands, API, record, and a kill.
@Suite struct PlannedOverrideCommandTests {
    @Test func `overrides are planned, changed, taken back and kept across a kill, with who did it`() throws {
        let world = try PagingWorld(
            policy: "steps: [{notify: [{schedule: primary}]}]",
            more: "",
            files: [
                "oncall.yml": """
                people:
                - {name: ada, contacts: [{receiver: first}]}
                - {name: bob, contacts: [{receiver: second}]}
                schedules:
                - {name: primary, layers: [{people: [ada], from: "2026-01-05 09:00"}]}
                policies:
                - {name: default, steps: [{notify: [{schedule: primary}]}]}
                receivers: [{name: pages, policy: default}]
                """
            ])
        func command(_ arguments: String...) throws -> (exit: ChildProcess.Exit, output: String, errors: String) {
            let server = "--server=http://127.0.0.1:\(world.tribune.port)"
            let done = try TribuneProgram.run(["oncall"] + arguments + [server])
            return (done.exit, done.output, done.errors)
        }
        func id(_ output: String) -> String { output.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
        let now = SystemClock.wallMilliseconds()
        let (from, until) = (RFC3339.text(milliseconds: now - 60_000), RFC3339.text(milliseconds: now + 3_600_000))
        let planned = try command(
            "override", "primary", "bob", "--from=\(from)", "--until=\(until)", "--reason=dentist")
        #expect(planned.exit == .code(0) && planned.output.contains("bob from "), "\(planned)")
        #expect(planned.output.contains(": dentist"))
        let override = id(planned.output)

        world.tribune.process.signal(SIGKILL)
        _ = world.tribune.process.wait()
        try world.tribune.restart()
        #expect(
            Loopback.eventually {
                (try? command("overrides", "primary").output.contains("override \(override)  bob")) == true
            })
        try world.post("Disk")
        #expect(Loopback.eventually { world.inbox.heard("second") == ["firing"] }, "\(world.tribune.log)")
        #expect(world.inbox.heard("first").isEmpty)

        let wrong = try command("override", "primary", "zed", "--from=\(from)", "--until=\(until)")
        #expect(wrong.exit == .code(1) && wrong.errors.contains("there is no person \"zed\""))
        #expect(
            try command("override", "nights", "bob", "--from=\(from)", "--until=\(until)").errors.contains(
                "no schedule \"nights\""))
        #expect(try command("change", override, "--person=ada").output.contains("ada from "))
        #expect(try command("cancel", override, "--reason=back").output.contains("removed: \(override)"))
        #expect(try command("cancel", override).errors.contains("no override"))
        let taken = try command("take", "primary", "bob")
        #expect(taken.exit == .code(0), "\(taken)")
        #expect(try command("cancel", id(taken.output)).exit == .code(0))
        let pair = (RFC3339.text(milliseconds: now), RFC3339.text(milliseconds: now + 1000))
        #expect(try command("swap", "primary", pair.0, pair.1).errors.contains("ada is on call at both times"))

        let events = try JSON(parsing: try world.tribune.get("/api/v1/history/events?limit=100&kind=schedule").body)
        let entries = events["data"]?["events"]?.elements ?? []
        let states = entries.compactMap { $0["body"]?["state"]?.text }
        #expect(states.sorted() == ["changed", "planned", "planned", "removed", "removed"])
        #expect(
            entries.allSatisfy { $0["subject"]?.text == "primary" && $0["actor"]?.members?.isEmpty == false })
        #expect(
            entries.contains {
                $0["body"]?["reason"]?["$text"]?.text == "dentist" || $0["body"]?["reason"]?.text == "dentist"
            })
    }
}
