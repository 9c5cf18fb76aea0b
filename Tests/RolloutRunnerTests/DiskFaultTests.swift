import Foundation
import MetricModel
import RouterFixtures
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Durable
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

/// Disks that are full or hang, with a real HAProxy. Skipped, saying so, where none is installed.
@Suite(.enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"), .serialized)
struct DiskFaultTests {
    /// How a file system of one's own is mounted here; `nil` if neither root nor user namespaces are available.
    private static let namespace: [String]? = {
        let choices = [["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]]
        return choices.first { command in
            let test = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"]
            return (try? ChildProcess(["/usr/bin/env"] + command + test).wait()) == .code(0)
        }
    }()

    private let proxy: HAProxyFixture

    init() throws { proxy = try HAProxyFixture() }

    private func split(_ backend: String) throws -> TrafficSplit? { try proxy.router(backend: backend).read().split }

    @Test(
        "on a full disk a trip shifts traffic; after the disk was freed and the process killed, the next one knows",
        .enabled(if: namespace != nil, "neither root nor a user namespace may mount a file system"))
    func full() throws {
        let program = try #require(CrashProgram.path)
        let plan = proxy.directory.write(proxy.plan(), to: "plan.yml")
        let (storage, first, second) = (
            proxy.directory.file("storage"), proxy.directory.file("first"), proxy.directory.file("second")
        )
        _ = Paths.makeDirectory(storage)
        let script = """
            mount -t tmpfs -o size=256k tmpfs \(storage) || exit 90
            \(program) \(plan) \(storage) full > \(first)
            test $? -eq 137 || exit 91
            rm \(storage)/filler
            \(program) \(plan) \(storage) -1 > \(second)
            """
        let output = proxy.directory.file("errors")
        let exit = try ChildProcess(
            ["/usr/bin/env"] + (Self.namespace ?? []) + ["sh", "-c", script], output: .file(output)
        ).wait()
        #expect(exit == .code(0), "\(FileText.read(output) ?? "")")
        let reason = "the journal cannot be written: cannot write: No space left on device"
        #expect(
            FileText.read(first) == """
                \(reason)
                refused("\(reason)")
                plan acgs: \(reason): only rollbacks go on

                """)
        let wanted = "generation 1: auth rolled_back 100/0, ac rolled_back 100/0; acgs-1-1 valid;"
        #expect(FileText.read(second)?.hasPrefix(wanted) == true, "\(FileText.read(second) ?? "")")
        #expect(try split("auth") == .allStable)
        #expect(try split("ac") == .allStable)
    }

    @Test("a sync that hangs delays no shift; it is told after five seconds, and over when the disk answers")
    func hung() throws {
        let disk = TestDisk()
        var settings = RollbackRunner.Settings(directory: proxy.directory.path)
        settings.device = disk.device
        let plan = try RolloutPlan(parsing: proxy.plan(), file: "plan.yml")
        let runner = try RollbackRunner(plans: [plan], settings: settings)
        try runner.start()
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services.allSatisfy { $0.progress == "baking" } })
        #expect(runner.limitations == [])
        disk.hang()
        runner.measured(
            RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h",
                definition: RollbackDefinition(
                    name: "R", expression: "x", trip: .init(.less, 0.95), immediate: true,
                    action: .init(plan: "acgs", scope: .all)),
                time: Timestamp(milliseconds: SystemClock.wallMilliseconds()),
                causeNanoseconds: SystemClock.monotonicNanoseconds(), elements: [.init(labels: .empty, value: 0)]))
        try #require(Loopback.eventually { runner.snapshots[0].services.allSatisfy { $0.progress == "rolled_back" } })
        #expect(try split("auth") == .allStable)
        #expect(try split("ac") == .allStable)
        #expect(runner.snapshots[0].journal == nil, "it may still be about to answer")
        let reason = "the journal cannot be written: the disk does not answer"
        try #require(Loopback.eventually { runner.snapshots[0].journal == reason })
        #expect(runner.limitations == ["plan acgs: \(reason): only rollbacks go on"])
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .refused(reason))
        disk.release()
        #expect(Loopback.eventually { runner.snapshots[0].journal == nil })
        runner.stop()
        let last = RecordScan(try FileText.bytes(proxy.directory.file("acgs.journal"))).records.last
        let record = try #require(last.flatMap { JournalRecord(payload: $0.payload) })
        #expect(record.state.rollback?.id == "acgs-1-1")
        #expect(record.state.services.values.allSatisfy { $0.progress == .rolledBack })
    }
}

/// The program of the test bundle's directory that runs a rollout and is killed.
enum CrashProgram {
    static var path: String? {
        let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let directories = [Bundle.main.bundleURL.path, bundle].map { URL(filePath: $0).deletingLastPathComponent() }
        return directories.map { $0.appending(path: "RollbackCrashProcess").path }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }
}
