public import MetricModel

/// All pages: the machine of on-call. A value.
///
/// The shell (`OnCallRunner`) gives it one event at a time with the time of the event, stores what ``takeChanges()``
/// returns, and only then carries the actions out. So whatever crashes, a step fires once, and a call whose delivery is
/// unknown is sent again with the number that it had.
public struct PageBook: Equatable, Sendable {
    /// The most pages that are not resolved.
    public static let capacity = 5000
    /// The most resolved pages that are remembered.
    static let resolvedCapacity = 1000
    /// How long they are.
    static let resolvedAge = Milliseconds.hours(24 * 7)
    /// The most attempts to say that a page is resolved, and the time between them.
    private static let closing = (attempts: 30, pause: Milliseconds.seconds(30))

    /// People, schedules and policies, as they are in force.
    public internal(set) var roster: Roster
    /// The same as the configuration has them.
    var configured: Roster
    /// The calendars of schedules as they were read last.
    var calendars: [String: [Schedule.Shift]] = [:]
    /// The overrides that were planned while the service runs, by their ids.
    var planned: [String: PlannedOverride] = [:]
    /// The browsers that are notified of calls, by their ids.
    public internal(set) var browsers: [String: Browser] = [:]
    /// The pages by their ids: those that are not resolved, and the last ones that are.
    public internal(set) var entries: [String: Entry] = [:]
    /// The open page of each problem.
    private(set) var open: [String: String] = [:]
    /// When each program with a heartbeat reported last. Not stored: after a restart each has its full time again.
    private(set) var beats: [String: Timestamp] = [:]
    /// When each digest is due.
    var digestDues: [String: DigestDue] = [:]
    /// Resolved pages of which not all receivers have heard.
    private(set) var closing: Set<String> = []
    /// The pages, overrides and browsers that changed since the last call of ``takeChanges()``.
    var changed: Set<String> = []
    /// Those that were forgotten since.
    var forgotten: Set<String> = []

    /// No pages.
    public init(_ roster: Roster) {
        self.roster = roster
        configured = roster
    }

    /// The same people, schedules and calendars, without pages.
    public var emptied: PageBook {
        var book = PageBook(configured)
        book.calendars = calendars
        book.bringIntoForce()
        return book
    }

    /// The number of pages that are not resolved.
    public var openCount: Int { open.count }

    /// The open page of the problem `key`.
    public func openPage(of key: String) -> Entry? { open[key].flatMap { entries[$0] } }

    /// When ``clockReached(_:)`` is to be called next.
    public var wakeAt: Timestamp? {
        let opened = open.values.lazy.compactMap { entries[$0]?.wakeAt }.min()
        let closed = closing.lazy.compactMap { entries[$0]?.wakeAt }.min()
        return [opened, closed, heartbeatWakeAt, digestDues.values.lazy.map(\.at).min()].compactMap { $0 }.min()
    }

    /// The ids of all pages, overrides and browsers.
    public var ids: Set<String> { Set(entries.keys).union(planned.keys).union(browsers.keys) }

    /// The changes since the last call, and the ids of entries that need not be stored any more.
    public mutating func takeChanges() -> (
        changed: [Entry], overrides: [PlannedOverride], browsers: [Browser], forgotten: [String]
    ) {
        defer { (changed, forgotten) = ([], []) }
        let stored = stored(changed)
        return (stored.entries, stored.overrides, stored.browsers, forgotten.sorted())
    }

    /// The pages, overrides and browsers with these ids.
    public func stored(_ ids: Set<String>) -> (entries: [Entry], overrides: [PlannedOverride], browsers: [Browser]) {
        let ids = ids.sorted()
        return (ids.compactMap { entries[$0] }, ids.compactMap { planned[$0] }, ids.compactMap { browsers[$0] })
    }

    // MARK: Problems

    /// Whether there is room for another page.
    public var isFull: Bool { open.count >= Self.capacity }

    /// A source reports a problem. A problem with an open page changes what the page shows. If it has become more
    /// severe and has another policy for that, the page goes to that policy: its people have not heard of it.
    ///
    /// - Parameter id: of the page, if one is opened; unique for ever.
    public mutating func triggered(_ problem: Problem, id: String, at now: Timestamp) -> [Action] {
        if let known = open[problem.key], var entry = entries[known] {
            let back = comeBack(&entry, at: now)
            guard entry.problem != problem else { return back }
            let isMoreUrgent =
                problem.policy != entry.page.policy
                && Severity.isWorse(problem.severity, than: entry.problem.severity)
            entry.problem = problem
            keep(entry)
            guard isMoreUrgent else { return back }
            let order = PageOrder(.reassign(.policy(problem.policy)), by: .source(problem.source))
            return back + ordered(order, page: known, at: now).actions
        }
        assert(entries[id] == nil, "a page's id is unique")
        guard !isFull else { return [] }
        var entry = Entry(page: Page(id: id, key: problem.key, policy: problem.policy, at: now), problem: problem)
        var actions = [Action.record(entry.event(.opened, at: now))]
        if let parent = parent(of: entry) {
            actions += hold(&entry, under: parent, at: now)
        } else {
            let pageActions = entry.page.clockReached(now, roster: roster)
            actions += take(pageActions, &entry, at: now)
        }
        actions += noteFlapping(&entry, at: now)
        keep(entry)
        return actions + holdChildren(of: entry, at: now)
    }

    /// A source reports that a problem is over.
    public mutating func ended(_ key: String, by source: String, at now: Timestamp) -> [Action] {
        guard let id = open[key], let entry = entries[id] else { return [] }
        if entry.isFlapping, roster.flapping != nil { return quieten(entry, by: source, at: now) }
        return ordered(PageOrder(.resolve, by: .source(source)), page: id, at: now).actions
    }

    // MARK: Time and calls

    /// Time has passed.
    public mutating func clockReached(_ now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for id in open.values.sorted() {
            guard var entry = entries[id] else { continue }
            if case .child(let parent) = entry.hold, !holds(parent, entry) {
                // Its page is over; or a change made this problem one that counts for itself.
                let isOver = entries[parent]?.page.isResolved ?? true
                actions += release(&entry, after: isOver ? Self.grace : .zero, at: now)
                keep(entry)
            }
            guard let wakeAt = entry.wakeAt, wakeAt <= now else { continue }
            if case .quiet(_, let source) = entry.hold {
                actions += ordered(PageOrder(.resolve, by: .source(source)), page: id, at: now).actions
                continue
            }
            actions += advance(&entry, at: now)
            keep(entry)
        }
        for id in closing.sorted() {
            guard var entry = entries[id], let wakeAt = entry.wakeAt, wakeAt <= now else { continue }
            entry.wakeAt = nil
            keep(entry)
            actions.append(.sendResolved(entry.closing, entry))
        }
        actions += checkHeartbeats(at: now)
        actions += dueDigests(at: now)
        forgetOldOverrides(at: now)
        forgetOld(at: now)
        return actions
    }

    /// Notes when a program reported; `nil` to forget it.
    mutating func noteBeat(_ name: String, at now: Timestamp?) {
        beats[name] = now
    }

    /// A receiver has heard that `page` is resolved, or has not taken it, which is tried again for a quarter of an
    /// hour.
    public mutating func closed(_ page: String, at receiver: String, hasTakenIt: Bool, at now: Timestamp) {
        guard var entry = entries[page], entry.closing.contains(receiver) else { return }
        if !hasTakenIt { entry.closingFailures += 1 }
        if hasTakenIt || entry.closingFailures >= Self.closing.attempts {
            entry.closing.removeAll { $0 == receiver }
        } else {
            entry.wakeAt = now + Self.closing.pause
        }
        if entry.closing.isEmpty { entry.wakeAt = nil }
        keep(entry)
    }

    /// Lets the page do what is due.
    mutating func advance(_ entry: inout Entry, at now: Timestamp) -> [Action] {
        if entry.hold != nil { return [] }
        let before = entry.page.state
        let pageActions = entry.page.clockReached(now, roster: roster)
        var actions: [Action] = []
        if before != .escalating, entry.page.state == .escalating {
            entry.actor = nil
            actions.append(.record(entry.event(.calledAgain, at: now)))
        }
        return actions + take(pageActions, &entry, at: now)
    }

    /// A receiver has taken the call `number` of `page`.
    public mutating func called(_ number: Int, page: String, at now: Timestamp) -> [Action] {
        guard var entry = entries[page], let call = entry.page.outstanding.first(where: { $0.number == number }) else {
            return []
        }
        entry.page.callEnded(number)
        keep(entry)
        return [.record(entry.event(.called, at: now, call: call))]
    }

    /// A receiver did not take the call `number` of `page`.
    public mutating func callFailed(
        _ number: Int, page: String, reason: String, isFinal: Bool, at now: Timestamp
    ) -> [Action] {
        guard var entry = entries[page], let call = entry.page.outstanding.first(where: { $0.number == number }) else {
            return []
        }
        let pageActions = entry.page.callFailed(number, isFinal: isFinal, at: now)
        var actions: [Action] = []
        // The first failure and the last one are worth an entry of the record.
        if call.failures == 0, !pageActions.contains(where: { if case .undelivered = $0 { true } else { false } }) {
            actions.append(.record(entry.event(.callFailed, at: now, call: call, detail: reason)))
        }
        actions += take(pageActions, &entry, at: now, failure: reason)
        keep(entry)
        return actions
    }

    /// The messages whose delivery is unknown, after a restart or a take-over, and the alarms that stand.
    public func resumed() -> [Action] {
        let calls = open.values.sorted().compactMap { entries[$0] }.flatMap { entry in
            entry.page.outstanding.map { Action.call($0, entry) } + (entry.alarm.map { [.raise($0)] } ?? [])
        }
        return calls + closing.sorted().compactMap { entries[$0] }.map { .sendResolved($0.closing, $0) }
    }

    /// The clock was set by `span`.
    public mutating func clockWasSet(by span: Milliseconds) {
        for (name, at) in beats { noteBeat(name, at: at + span) }
        digestDues = [:]
        for id in open.values.sorted() {
            guard var entry = entries[id] else { continue }
            entry.page.clockWasSet(by: span)
            if case .quiet(let since, let source) = entry.hold {
                entry.hold = .quiet(since: since + span, source: source)
            }
            if case .snoozed = entry.page.state {} else { entry.wakeAt = entry.wakeAt.map { $0 + span } }
            keep(entry)
        }
    }

    // MARK: Bookkeeping

    /// Translates what a page wants into actions, and remembers alarms and the next wake-up.
    ///
    /// - Parameter failure: why a call failed, if that is the event.
    mutating func take(
        _ pageActions: [Page.Action], _ entry: inout Entry, at now: Timestamp, failure: String? = nil
    ) -> [Action] {
        var actions: [Action] = []
        var wakes = entry.page.state == .escalating ? entry.page.scheduled.map(\.at) : []
        for action in pageActions {
            switch action {
            case .send(let call): actions.append(.call(call, entry))
            case .sendResolved(let receivers):
                entry.closing = receivers
                actions.append(.sendResolved(receivers, entry))
            case .wake(let time): wakes.append(time)
            case .unanswered where roster.policy(entry.page.policy)?.expectsAnswer == false: break
            case .unanswered:
                actions.append(.record(entry.event(.unanswered, at: now)))
                actions += raise(.unanswered, &entry, at: now)
            case .unreachable(let position):
                actions.append(
                    .record(entry.event(.unreachable, at: now, detail: "step \(position.step + 1) means nobody now")))
                actions += raise(.unreachable, &entry, at: now)
            case .undelivered(let call):
                actions.append(.record(entry.event(.undelivered, at: now, call: call, detail: failure ?? "")))
                actions += raise(.undelivered, &entry, at: now)
            }
        }
        // After a failed call the steps fire when they would have.
        if failure != nil, let known = entry.wakeAt { wakes.append(known) }
        entry.wakeAt = wakes.min()
        return actions
    }

    /// An alarm, once for each reason that is new while the page stands. What on-call itself raised raises none.
    private func raise(_ reason: PageAlarm.Reason, _ entry: inout Entry, at now: Timestamp) -> [Action] {
        guard entry.alarm?.reason != reason, !entry.problem.isAlarm else { return [] }
        let alarm = PageAlarm(page: entry.page.id, reason: reason, title: entry.problem.title, since: now)
        let before = entry.alarm
        entry.alarm = alarm
        return (before.map { [.takeBack($0)] } ?? []) + [.raise(alarm)]
    }

    /// Puts a changed entry back.
    mutating func keep(_ entry: Entry) {
        var entry = entry
        entry.revision += 1
        let id = entry.page.id
        entries[id] = entry
        changed.insert(id)
        note(entry)
    }

    /// Brings the lists of open and closing pages up to date.
    private mutating func note(_ entry: Entry) {
        let id = entry.page.id
        if !entry.page.isResolved {
            open[entry.page.key] = id
        } else if open[entry.page.key] == id {
            open[entry.page.key] = nil
        }
        if entry.closing.isEmpty { closing.remove(id) } else { closing.insert(id) }
    }

    /// Forgets resolved pages that are old, or more than are remembered.
    ///
    /// The last one stays. The nodes of a lease know by the epoch of the shared pages who acted last; without any, a
    /// node that takes over would call people about the pages that it had when it acted before.
    private mutating func forgetOld(at now: Timestamp) {
        guard entries.count > open.count else { return }
        var resolved: [(id: String, at: Timestamp)] = []
        for (id, entry) in entries {
            if case .resolved(let at) = entry.page.state { resolved.append((id, at)) }
        }
        resolved.sort { ($0.at, $0.id) < ($1.at, $1.id) }
        let surplus = max(0, resolved.count - Self.resolvedCapacity)
        let last = resolved.count - 1
        for (index, entry) in resolved.enumerated()
        where index < surplus || index < last && entry.at + Self.resolvedAge < now {
            entries[entry.id] = nil
            closing.remove(entry.id)
            changed.remove(entry.id)
            forgotten.insert(entry.id)
        }
    }

    /// Puts stored entries in the place of all there are.
    mutating func replaceAll(by entries: [Entry], _ overrides: [PlannedOverride], _ browsers: [Browser]) {
        self.entries = [:]
        self.browsers = Dictionary(browsers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        planned = Dictionary(overrides.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        bringIntoForce()
        open = [:]
        closing = []
        beats = [:]
        digestDues = [:]
        (changed, forgotten) = ([], [])
        for entry in entries {
            self.entries[entry.page.id] = entry
            note(entry)
        }
    }
}

extension PageBook.Entry {
    func event(
        _ kind: PageEvent.Kind, at now: Timestamp, call: Page.Call? = nil, actor: PageActor? = nil, detail: String = ""
    ) -> PageEvent {
        PageEvent(
            kind: kind, page: page.id, at: now, title: problem.title, labels: problem.labels,
            incident: problem.annotations["incident"], call: call, actor: actor, detail: detail)
    }
}
