internal import Instrumentation
internal import MetricModel
internal import OnCall
internal import Synchronization

/// Tribune's own metrics of on-call.
final class OnCallInstruments: Sendable {
    private static let gap = (
        name: "tribune_oncall_gap_seconds",
        help: "The time until nobody is on call by a schedule; at most 14 days ahead is looked for."
    )
    private static let person = (
        name: "tribune_oncall_person", help: "1 for the person who is on call by a schedule."
    )

    private static let browsers = (
        name: "tribune_oncall_browsers",
        help: "The browsers that are notified of the calls to a person who has the contact push."
    )

    let opened: Counter
    let delivered: Counter
    let failed: Counter
    let undelivered: Counter
    let unanswered: Counter
    let unreachable: Counter
    let refused: Counter
    let jumps: Counter
    let lost: Counter
    let unshared: Counter
    private let pages: [(state: String, gauge: Gauge)]
    private let oldest: Gauge
    private let alarms: Gauge
    private let registry: Registry
    /// Who was shown as on call last, by schedule; an empty name for nobody.
    private let shown = Mutex<[String: String]>([:])
    /// Whose browsers were shown last.
    private let shownPeople = Mutex<Set<String>>([])

    init(_ registry: Registry) {
        self.registry = registry
        opened = registry.counter("tribune_oncall_pages_opened_total", "Pages that were opened.")
        let name = "tribune_oncall_calls_total"
        let help = "Messages of pages that were sent, by outcome."
        delivered = registry.counter(name, help, labels: ["outcome": "delivered"])
        failed = registry.counter(name, help, labels: ["outcome": "failed"])
        undelivered = registry.counter(name, help, labels: ["outcome": "given_up"])
        unanswered = registry.counter(
            "tribune_oncall_unanswered_total", "Pages that nobody acknowledged in all rounds of their policy.")
        unreachable = registry.counter(
            "tribune_oncall_unreachable_total", "Steps of escalation that fired while they meant nobody.")
        refused = registry.counter(
            "tribune_oncall_refused_total",
            "Signals of sources that were refused because there are too many pages or the queue is full.")
        jumps = registry.counter("tribune_oncall_clock_jumps_total", "How often the clock of the machine was set.")
        lost = registry.counter("tribune_oncall_journal_failures_total", "Steps of pages that are not in the journal.")
        unshared = registry.counter(
            "tribune_oncall_sharing_failures_total", "Steps of pages that could not be stored for the other nodes.")
        pages = ["escalating", "acknowledged", "snoozed"].map { state in
            let labels: KeyValuePairs = ["state": state]
            return (state, registry.gauge("tribune_oncall_pages", "Pages that are not resolved.", labels: labels))
        }
        oldest = registry.gauge(
            "tribune_oncall_oldest_unacknowledged_seconds", "The age of the oldest page that nobody acts on.")
        alarms = registry.gauge(
            "tribune_oncall_unanswered_pages", "Pages whose people were not reached or did not answer.")
    }

    /// Shows what `book` is at `now`. A node that does not act shows nothing.
    func show(_ book: PageBook, isLeading: Bool, at now: Timestamp) {
        let open = book.entries.values.filter { !$0.page.isResolved }
        for (state, gauge) in pages { gauge.set(Double(open.count { $0.page.state.name == state })) }
        let first = open.filter { $0.page.state == .escalating }.map(\.page.openedAt).min()
        oldest.set(first.map { max(0, (now - $0).seconds) } ?? 0)
        alarms.set(Double(open.count { $0.alarm != nil }))
        show(isLeading ? book : PageBook(Roster()))
        // Only the node that acts knows the overrides that were planned.
        show(isLeading ? Array(book.roster.schedules.values) : [], at: now)
    }

    /// Only the node that acts knows the browsers.
    private func show(_ book: PageBook) {
        let people = Set(book.roster.people.values.filter { $0.contacts.contains(where: \.isPush) }.map(\.name))
        let gone = shownPeople.withLock { shown in
            defer { shown = people }
            return shown.subtracting(people)
        }
        for person in gone { registry.remove(Self.browsers.name, labels: ["person": person]) }
        for person in people {
            registry.gauge(Self.browsers.name, Self.browsers.help, labels: ["person": person])
                .set(Double(book.browsers(of: person).count))
        }
    }

    private func show(_ schedules: some Collection<Schedule>, at now: Timestamp) {
        let people = Dictionary(
            schedules.map { ($0.name, $0.person(at: now) ?? "") }, uniquingKeysWith: { first, _ in first })
        let gone = shown.withLock { shown in
            defer { shown = people }
            return shown.filter { people[$0.key] != $0.value }
        }
        for (schedule, person) in gone {
            if !person.isEmpty {
                registry.remove(Self.person.name, labels: ["schedule": schedule, "person": person])
            }
            if people[schedule] == nil { registry.remove(Self.gap.name, labels: ["schedule": schedule]) }
        }
        for schedule in schedules {
            registry.gauge(Self.gap.name, Self.gap.help, labels: ["schedule": schedule.name])
                .set(schedule.secondsToGap(at: now))
            guard let person = people[schedule.name], !person.isEmpty else { continue }
            let labels: KeyValuePairs = ["schedule": schedule.name, "person": person]
            registry.gauge(Self.person.name, Self.person.help, labels: labels).set(1)
        }
    }
}

extension Schedule {
    /// How far ahead a gap is looked for.
    private static let horizon = Milliseconds.hours(24 * 14)

    /// The time until nobody is on call, in seconds; the horizon of 14 days if there is none before.
    func secondsToGap(at now: Timestamp) -> Double {
        let gap = shifts(from: now, until: now + Self.horizon).first { $0.person == nil }
        return ((gap?.from ?? now + Self.horizon) - now).seconds
    }
}
