import CurlHTTP
import Glibc
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

/// A real Tribune whose wall clock is set while a page escalates. Debian's `faketime` gives it a clock that a file
/// moves; the clocks that nobody sets go on as they are.
@Suite struct PagingClockTests {
    private static let library = Paths.matching("/usr/lib/*/faketime/libfaketimeMT.so.1").first

    @Test(.enabled(if: Self.library != nil, "faketime is not installed"))
    func `a clock that jumps by hours fires no step early, and delays none`() throws {
        let directory = TemporaryDirectory()
        let clock = directory.write("+0\n", to: "clock")
        let world = try PagingWorld(
            policy: """
                steps: [{notify: [{receiver: first}]}, {after: 3s, notify: [{receiver: second}]}, {after: 1h, notify: [{receiver: third}]}]
                """,
            more: "integrations: [{name: in, kind: pagerduty, key_file: in.key, policy: default}]",
            files: ["in.key": "integration-key-0001"],
            environment: [
                "LD_PRELOAD=\(Self.library ?? "")", "FAKETIME_TIMESTAMP_FILE=\(clock)", "FAKETIME_NO_CACHE=1",
                "DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_FORCE_MONOTONIC_FIX=0",
                // The library moves the environment of the first program that it is loaded into, behind which Swift
                // looks for the arguments. This one is `env` again.
                "/usr/bin/env",
            ])
        var processes = [world.tribune.process.processID]
        defer {
            for process in processes {
                Paths.remove("/dev/shm/faketime_shm_\(process)")
                Paths.remove("/dev/shm/sem.faketime_sem_\(process)")
            }
        }
        func open(_ name: String) throws {
            let body = """
                {"routing_key":"integration-key-0001","event_action":"trigger","dedup_key":"\(name)",
                 "payload":{"summary":"\(name)","source":"s","severity":"critical"}}
                """
            #expect(try world.send("POST", "/v2/enqueue", body).status == 202)
        }
        func titles(_ path: String) -> [String] { world.inbox.messages.filter { $0.path == path }.map(\.title) }
        func jumps() throws -> String? {
            String(decoding: try world.tribune.get("/metrics").body, as: UTF8.self).split(separator: "\n")
                .first { $0.hasPrefix("tribune_oncall_clock_jumps_total ") }?.split(separator: " ").last.map(
                    String.init)
        }
        try open("One")
        #expect(Loopback.eventually { titles("first") == ["One"] }, "\(world.tribune.log)")
        // Two hours ahead: the step of an hour is not due, and the one of three seconds is in three seconds.
        directory.write("+2h\n", to: "clock")
        #expect(try Loopback.eventually { try jumps() == "1" }, "\(world.tribune.log)")
        #expect(Loopback.eventually { titles("second") == ["One"] }, "\(world.tribune.log)")
        // And three hours back, where a page of now is opened before all that happened.
        directory.write("-1h\n", to: "clock")
        #expect(try Loopback.eventually { try jumps() == "2" }, "\(world.tribune.log)")
        try open("Two")
        #expect(Loopback.eventually { titles("second") == ["One", "Two"] }, "\(world.tribune.log)")
        #expect(titles("first") == ["One", "Two"] && titles("third").isEmpty)
        let opened = world.page("Two")?["opened"]?.text.flatMap { RFC3339.milliseconds(parsing: $0) } ?? 0
        #expect(abs(opened + 3_600_000 - SystemClock.wallMilliseconds()) < 1_800_000, "the clock was not set")

        // The same across a kill: the clock of the new process is behind the journal's last record.
        try open("Three")
        #expect(Loopback.eventually { titles("first").last == "Three" })
        world.tribune.process.signal(SIGKILL)
        _ = world.tribune.process.wait()
        directory.write("-5h\n", to: "clock")
        try world.tribune.restart()
        processes.append(world.tribune.process.processID)
        #expect(Loopback.eventually { titles("second").last == "Three" }, "\(world.tribune.log)")
        let call = try #require(world.inbox.messages.first { $0.path == "second" && $0.title == "Three" })
        #expect(try world.send("POST", call.acknowledge).status == 200)
        #expect(titles("third").isEmpty)
    }
}
