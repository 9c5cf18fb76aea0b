import Glibc
import JSON
import MetricModel
import Runtime
import Testing

/// Runs both notifiers through the same histories and compares the requests to their receivers, step by step.
struct AlertHistoryRun {
    /// The difference in a world.
    struct Difference: CustomStringConvertible {
        var world: String
        var seed: UInt64?
        var step: Int
        var history: [String]
        var lines: [String]

        var description: String {
            "\(world), step \(step), seed \(seed.map { "\($0)" } ?? "unknown")\n"
                + (history + lines).map { "    \($0)\n" }.joined()
        }
    }

    /// An event of all worlds at once.
    private enum Turn {
        case ordinary
        case reloads(String)
        /// Both are restarted; ended alerts are posted afterwards.
        case restarts

        var isReload: Bool { if case .reloads = self { true } else { false } }
    }

    private let alertmanager: ComparedNotifier
    private let tribune: ComparedNotifier
    private var worlds: [AlertWorld]
    private var histories: [String: [String]] = [:]
    private(set) var differences: [Difference] = []
    private(set) var requestCount = 0
    private var step = 0

    init(seeds: [UInt64]) throws {
        worlds = seeds.map { AlertWorld(seed: $0) }
        alertmanager = try ComparedNotifier(.alertmanager, configuration: ComparedConfiguration.before)
        tribune = try ComparedNotifier(.tribune, configuration: ComparedConfiguration.before)
    }

    /// `steps` of normal events, a reload, as many steps again, and a restart after a third of each.
    mutating func run(steps: Int) throws {
        for half in 0..<2 {
            if half == 1 { try take(.reloads(ComparedConfiguration.after)) }
            for number in 0..<steps { try take(number == steps * 2 / 3 ? .restarts : .ordinary) }
        }
        let refusals = tribune.receivers.refusals.filter { !alertmanager.receivers.refusals.contains($0) }
        #expect(refusals.isEmpty, "a vendor would refuse what Tribune sent")
    }

    private mutating func take(_ turn: Turn) throws {
        step += 1
        for notifier in [alertmanager, tribune] { notifier.receivers.begin(step) }
        switch turn {
        case .ordinary: try act()
        case .reloads(let configuration):
            for notifier in [alertmanager, tribune] { try notifier.reload(configuration) }
            for world in worlds { histories[world.name, default: []].append("\(step) reload") }
        case .restarts:
            for notifier in [alertmanager, tribune] {
                notifier.stop()
                try notifier.start()
            }
            for world in worlds { histories[world.name, default: []].append("\(step) restart") }
            try act()
        }
        settle()
        compare(isReload: turn.isReload)
    }

    /// One event in each world; every firing alert is posted again.
    private mutating func act() throws {
        let milliseconds = SystemClock.wallMilliseconds()
        let now = RFC3339.text(milliseconds: milliseconds)
        var alerts: [JSON] = []
        for index in worlds.indices {
            let before = worlds[index]
            let event = worlds[index].step(at: now)
            let world = worlds[index]
            histories[world.name, default: []].append("\(step) \(Self.text(event, world))")
            switch event {
            case .resolves(let alert):
                alerts.append(world.posted(alert, startsAt: before.alerts[alert].startsAt ?? now, endsAt: now))
            case .silences(let name, let matchers, let isRegex):
                let body: JSON = [
                    "matchers": .array(
                        matchers.sorted { $0.key < $1.key }.map {
                            [
                                "name": .string($0.key), "value": .string($0.value),
                                "isRegex": .bool(isRegex && $0.key != "world"), "isEqual": true,
                            ]
                        }),
                    "startsAt": .string(now), "endsAt": .string(RFC3339.text(milliseconds: milliseconds + 3_600_000)),
                    "createdBy": "ada", "comment": "planned",
                ]
                for notifier in [alertmanager, tribune] { try notifier.silence(name, body) }
            case .expires(let name):
                for notifier in [alertmanager, tribune] { try notifier.expire(name) }
            case .nothing, .fires, .changes: break
            }
            alerts += world.firing.map { world.posted($0, startsAt: world.alerts[$0].startsAt ?? now) }
        }
        for notifier in [alertmanager, tribune] { try notifier.send(alerts) }
    }

    private static func text(_ event: AlertWorld.Event, _ world: AlertWorld) -> String {
        func alert(_ index: Int) -> String {
            world.alerts[index].labels.dropLast().map(\.value).joined(separator: " ")
        }
        return switch event {
        case .nothing: "nothing"
        case .fires(let index): "fires: \(alert(index))"
        case .resolves(let index): "resolves: \(alert(index))"
        case .changes(let index): "changes: \(alert(index))"
        case .silences(let name, let matchers, let isRegex): "silence \(name): \(matchers) regex \(isRegex)"
        case .expires(let name): "expire \(name)"
        }
    }

    /// Waits until the groups' intervals have passed, and then until both have sent the same requests or the time is
    /// over.
    private func settle() {
        let began = SystemClock.monotonicNanoseconds()
        let shortest: Int64 = 1_500_000_000
        let longest: Int64 = 8_000_000_000
        while true {
            let passed = SystemClock.monotonicNanoseconds() - began
            if passed > longest || passed > shortest && disagreeing.isEmpty { return }
            usleep(50_000)
        }
    }

    private var disagreeing: Set<String> {
        let (theirs, mine) = (alertmanager.receivers.requests(in: step), tribune.receivers.requests(in: step))
        let known = Set(differences.map(\.world))
        return Set(theirs.keys).union(mine.keys).filter { theirs[$0] != mine[$0] && !known.contains($0) }
    }

    private mutating func compare(isReload: Bool) {
        var (theirs, mine) = (alertmanager.receivers.requests(in: step), tribune.receivers.requests(in: step))
        if isReload { Self.dropPartial(&theirs, besides: mine) }
        requestCount += theirs.values.reduce(0) { $0 + $1.values.reduce(0, +) }
        for world in disagreeing.sorted() where theirs[world] != mine[world] {
            differences.append(
                Difference(
                    world: world, seed: worlds.first { $0.name == world }?.seed, step: step,
                    history: histories[world] ?? [], lines: Self.lines(theirs[world] ?? [:], mine[world] ?? [:])))
        }
    }

    /// Alertmanager assigns alerts one by one to the groups of the new configuration, which do not wait for each other:
    /// the message about all of them may be preceded by one about the first.
    private static func dropPartial(
        _ theirs: inout [String: [ReceivedRequest: Int]], besides mine: [String: [ReceivedRequest: Int]]
    ) {
        for (world, requests) in theirs {
            let common = Set(requests.keys.filter { mine[world]?[$0] != nil }.map(\.line))
            theirs[world] = requests.filter { mine[world]?[$0.key] != nil || !common.contains($0.key.line) }
        }
    }

    private static func lines(_ theirs: [ReceivedRequest: Int], _ mine: [ReceivedRequest: Int]) -> [String] {
        func surplus(_ left: [ReceivedRequest: Int], _ right: [ReceivedRequest: Int]) -> [ReceivedRequest] {
            left.flatMap { Array(repeating: $0, count: max(0, $1 - (right[$0] ?? 0))) }.sorted { $0.line < $1.line }
        }
        var (missing, extra) = (surplus(theirs, mine), surplus(mine, theirs))
        var lines: [String] = []
        while let request = missing.popLast() {
            if let other = extra.firstIndex(where: { $0.line == request.line }) {
                lines.append("\(request.line) differs:")
                lines += extra.remove(at: other).differences(from: request).map { "  \($0)" }
            } else {
                lines.append("only Alertmanager sent \(request.summary)")
            }
        }
        return lines + extra.map { "only Tribune sent \($0.summary)" }
    }
}

extension ReceivedRequest {
    /// The line with the names of its alerts.
    fileprivate var summary: String {
        let telling = fields.filter { $0.key.hasSuffix(".status") || $0.key.hasSuffix(".groupKey") }
        return "\(line) \(telling.isEmpty ? fields : telling)"
    }
}
