import Glibc
import Instrumentation
import MetricModel
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Notification

@Suite struct NotificationLogTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("notifications.log") }

    /// A file that is rewritten gets another number.
    private var inode: UInt {
        var information = stat()
        return stat(path, &information) == 0 ? UInt(information.st_ino) : 0
    }

    private func entry(_ group: Int, round: Int = 0) -> NotificationLogEntry {
        let labels: Labels = ["alertname": "Alert\(group)"]
        let alert = Alert(
            labels: labels, annotations: ["text": String(repeating: "a", count: 1000), "round": "\(round)"],
            startsAt: Timestamp(milliseconds: 1000), endsAt: Timestamp(milliseconds: 2000), isResolved: false,
            generatorURL: "", value: 0)
        let time = Timestamp(milliseconds: 1500)
        return NotificationLogEntry(
            route: "{}", labels: labels,
            alerts: [.init(alert: alert, updatedAt: time, origin: .api)],
            sent: ["webhook/0": .init(at: time, firing: [labels], resolved: [], memory: [:])])
    }

    private func change(_ entry: NotificationLogEntry) -> NotificationLogEntry.Change {
        .init(route: entry.route, labels: entry.labels, entry: entry)
    }

    @Test("the file is rewritten when half of it is out of date, and not before")
    func rewriting() {
        let log = NotificationLog(path: path, logger: .silent, registry: Registry())
        log.rewrite([])
        let first = inode
        let entries = (0..<3000).map { entry($0) }
        for start in stride(from: 0, to: entries.count, by: 100) {
            log.append(entries[start..<start + 100].map(change)) { [] }
        }
        // 3.5 MB, all of which is needed.
        #expect(inode == first)
        #expect(log.read() == entries)
        let newer = (0..<3000).map { entry($0, round: 1) }
        log.append(newer.map(change)) { newer }
        #expect(inode == first)
        log.append([change(entry(0, round: 2))]) { newer }
        #expect(inode == first)
        // The first batch made half of the file out of date, this one more.
        log.append([change(entry(0, round: 2))]) { newer }
        #expect(inode != first)
        #expect(log.read() == newer)
    }

    @Test("groups that ended are not counted as needed")
    func endedGroups() {
        let log = NotificationLog(path: path, logger: .silent, registry: Registry())
        log.rewrite([])
        let first = inode
        let entries = (0..<2000).map { entry($0) }
        log.append(entries.map(change)) { [] }
        log.append(entries.map { .init(route: $0.route, labels: $0.labels, entry: nil) }) { [] }
        #expect(inode == first)
        #expect(log.read().isEmpty)
        log.append([change(entry(0))]) { [entry(0)] }
        #expect(inode != first)
        #expect(log.read() == [entry(0)])
    }
}
