import MetricModel
import Receivers
import RuleModel
import TestSupport
import Testing
import YAML

@testable import Notification

/// The queue with its log over random histories, in which the process is killed between any two steps of a delivery.
@Suite struct NotificationCrashTests {
    /// A receiver as it sees the world: which alerts it holds for firing, by integration.
    private struct Receiver {
        var firing: [String: Set<Labels>] = [:]
        /// Alerts that it was ever sent as firing.
        var told: [String: Set<Labels>] = [:]
        /// When the last message came.
        var lastAt: [String: Timestamp] = [:]
        var problems: [String] = []

        mutating func accepted(_ delivery: NotificationQueue.Delivery, at now: Timestamp) {
            let slot = "\(delivery.notification.groupKey) \(delivery.integration)"
            let (ended, begun) = (
                Set(delivery.notification.alerts.filter(\.isResolved).map(\.labels)),
                Set(delivery.notification.alerts.filter { !$0.isResolved }.map(\.labels))
            )
            if begun.isEmpty, told[slot]?.isDisjoint(with: ended) != false {
                problems.append("\(slot): the end of \(ended) without a beginning")
            }
            lastAt[slot] = now
            told[slot, default: []].formUnion(begun)
            firing[slot, default: []].subtract(ended)
            firing[slot, default: []].formUnion(begun)
        }
    }

    private struct World {
        let configuration: NotificationConfiguration
        var queue: NotificationQueue
        /// What is on the disk.
        var log: [String: NotificationLogEntry] = [:]
        var receiver = Receiver()
        var underWay: [NotificationQueue.Delivery] = []
        var truth: [Labels: Timestamp] = [:]
        var now = Timestamp(milliseconds: 0)
        var kills = 0
        /// Alerts of messages that were accepted when the process was killed before it had written so.
        var unwritten: Set<Labels> = []

        init() throws {
            let text = """
                route:
                  receiver: both
                  group_by: [g]
                  group_wait: 1s
                  group_interval: 2s
                  repeat_interval: 1h
                receivers:
                - name: both
                  webhook_configs: [{url: 'http://a/'}, {url: 'http://b/', send_resolved: false}]
                """
            configuration = try NotificationConfiguration(try #require(try YAML.parse(text).first), file: "")
            queue = NotificationQueue(configuration)
        }

        /// What the process writes after each turn.
        mutating func write() {
            for change in queue.takeChanges() { log[change.key] = change.entry }
        }

        mutating func kill() throws {
            kills += 1
            queue = NotificationQueue(configuration)
            // As the file gives it.
            let entries = log.values.map { entry in
                NotificationLogEntry.Change(
                    NotificationLogEntry.Change(route: entry.route, labels: entry.labels, entry: entry).json)?.entry
            }
            queue.restored(entries.compactMap { $0 }, at: now)
            underWay = []
        }

        /// A Prometheus sends everything that fires, and what has ended for a while.
        mutating func send(ended: [Labels: Timestamp]) {
            var alerts = truth.map { labels, since in
                Alert(
                    labels: labels, annotations: [:], startsAt: since, endsAt: now + .minutes(4), isResolved: false,
                    generatorURL: "", value: 1)
            }
            alerts += ended.map { labels, end in
                Alert(
                    labels: labels, annotations: [:], startsAt: end, endsAt: end, isResolved: true, generatorURL: "",
                    value: 0)
            }
            queue.received(alerts, origin: .api, at: now)
        }

        mutating func dispatch() { underWay += queue.advanced(to: now) }
    }

    @Test(arguments: 0..<60)
    func killsBetweenStepsLoseAndInventNothing(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed) &* 7919)
        var world = try World()
        let names: [Labels] = (0..<6).map { ["g": $0 < 3 ? "x" : "y", "i": ["a", "b", "c"][$0 % 3]] }
        var ended: [Labels: Timestamp] = [:]
        for step in 0..<200 {
            let isLast = step >= 180
            world.now = world.now + .milliseconds(Int64.random(in: 50...900, using: &random))
            if !isLast, let name = names.randomElement(using: &random), Bool.random(using: &random) {
                if world.truth.removeValue(forKey: name) != nil {
                    ended[name] = world.now
                } else {
                    world.truth[name] = world.now
                    ended[name] = nil
                }
            }
            if step % 3 == 0 || isLast { world.send(ended: ended) }
            world.dispatch()
            // Each delivery goes one of these ways; a kill may come before or after each of them.
            while let delivery = world.underWay.popLast() {
                switch Int.random(in: 0..<(isLast ? 1 : 12), using: &random) {
                case 0..<7:
                    world.receiver.accepted(delivery, at: world.now)
                    world.queue.delivered(delivery.id, at: world.now)
                    world.write()
                case 7: world.queue.failed(delivery.id, retryable: true, at: world.now)
                case 8: world.queue.failed(delivery.id, retryable: false, at: world.now)
                case 9: try world.kill()
                case 10:
                    world.receiver.accepted(delivery, at: world.now)
                    world.unwritten.formUnion(delivery.notification.alerts.map(\.labels))
                    try world.kill()
                default:
                    world.receiver.accepted(delivery, at: world.now)
                    world.queue.delivered(delivery.id, at: world.now)
                    world.unwritten.formUnion(delivery.notification.alerts.map(\.labels))
                    try world.kill()
                }
                #expect(world.queue.checkInvariants() == nil, "seed \(seed) step \(step)")
            }
            world.write()
            if isLast, step == 182 { world.queue.restorationEnded(at: world.now) }
            #expect(world.queue.checkInvariants() == nil, "seed \(seed) step \(step)")
        }
        #expect(world.receiver.problems.isEmpty, "seed \(seed): \(world.receiver.problems)")
        #expect(world.kills > 0)
        // At least once: each integration knows all that fires. The first one knows of nothing else but what was
        // accepted in the moment of a kill and had ended when the process was back.
        for group in ["x", "y"] {
            let firing = Set(world.truth.keys.filter { $0["g"] == group })
            let key = "{}:{g=\"\(group)\"}"
            let known = world.receiver.firing["\(key) webhook/0"] ?? []
            #expect(firing.isSubset(of: known), "seed \(seed) \(group)")
            #expect(known.subtracting(firing).isSubset(of: world.unwritten), "seed \(seed) \(group)")
            #expect(firing.isSubset(of: world.receiver.firing["\(key) webhook/1"] ?? []), "seed \(seed) \(group)")
        }
        // What was acknowledged is not repeated after another kill.
        world.write()
        try world.kill()
        world.now = world.now + .seconds(10)
        world.send(ended: ended)
        world.queue.restorationEnded(at: world.now)
        world.dispatch()
        let repeated = world.underWay.filter { delivery in
            // What began after the last message is new, if only because it had ended in between.
            let last = world.receiver.lastAt["\(delivery.notification.groupKey) \(delivery.integration)"]
            return delivery.notification.alerts.allSatisfy { $0.startsAt <= last ?? .distantPast }
        }
        #expect(repeated.isEmpty, "seed \(seed)")
    }

    @Test func plantedFaultsAreFound() throws {
        var world = try World()
        world.truth = [["g": "x", "i": "a"]: world.now]
        world.send(ended: [:])
        world.now = world.now + .seconds(2)
        world.dispatch()
        let delivery = try #require(world.underWay.first)
        let queue = world.queue
        #expect(queue.checkInvariants() == nil)
        let (id, group) = try #require(queue.groups.first)
        /// Changes every delivery that is under way.
        func eachPending(
            _ change: @escaping (inout NotificationQueue.Delivery) -> Void
        ) -> (inout NotificationQueue) -> Void {
            { queue in
                for slot in queue.pending.keys {
                    if var delivery = queue.pending[slot]?.delivery {
                        change(&delivery)
                        queue.pending[slot]?.delivery = delivery
                    }
                }
            }
        }
        /// Puts the group where it does not belong.
        func moved(to other: NotificationQueue.GroupID) -> (inout NotificationQueue) -> Void {
            { queue in
                queue.groups[id] = nil
                queue.groups[other] = group
            }
        }
        let faults: [(problem: String, change: (inout NotificationQueue) -> Void)] = [
            ("2 alerts are counted, but groups have 1", { $0.held += 1 }),
            ("2 deliveries have 1 ids", { $0.slots[delivery.id] = nil }),
            (
                "another slot",
                { queue in queue.slots[delivery.id] = queue.slots.first { $0.key != delivery.id }?.value }
            ),
            (
                "has no group",
                { queue in
                    queue.groups[id] = nil
                    queue.held = 0
                }
            ),
            ("another receiver", eachPending { $0.receiver = "none" }),
            ("has no alerts", eachPending { $0.notification.alerts = [] }),
            ("resolves nothing", eachPending { $0.notification.alerts[0].isResolved = true }),
            ("the key is another", moved(to: .init(route: id.route, labels: ["g": "z"]))),
            ("the route is gone", moved(to: .init(route: "gone", labels: id.labels))),
        ]
        for fault in faults {
            var broken = queue
            fault.change(&broken)
            #expect(broken.checkInvariants()?.contains(fault.problem) == true, "\(fault.problem)")
        }
    }
}
