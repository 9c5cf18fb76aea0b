internal import MetricModel

/// Pages about which nobody is called: those of services that need one with a page of its own, and those of problems
/// that flap and are away for the moment.
extension PageBook {
    /// How long a page has after the end of the one that held it. Most problems of dependents end with it.
    static let grace = Milliseconds.minutes(2)

    /// The pages that `page` holds.
    public func children(of page: String) -> [String] {
        open.values.filter { id in
            if case .child(of: page) = entries[id]?.hold { true } else { false }
        }.sorted()
    }

    // MARK: Dependencies

    /// The page that makes a new page a child: one of a service that its service needs, about which somebody is
    /// called. `nil` if there is none.
    func parent(of entry: Entry) -> String? {
        if roster.dependencies.isEmpty || entry.problem.labels["service"] == nil { return nil }
        return open.values.sorted().first { holds($0, entry) }
    }

    /// Whether the page `parent` makes `entry` a child. A page holds none of a more severe problem, and only one whose
    /// people are expected to answer holds any.
    func holds(_ parent: String, _ entry: Entry) -> Bool {
        guard let other = entries[parent], !other.page.isResolved, parent != entry.page.id,
            let service = entry.problem.labels["service"], let needed = other.problem.labels["service"],
            roster.policy(other.page.policy)?.expectsAnswer == true,
            !Severity.isWorse(entry.problem.severity, than: other.problem.severity)
        else { return false }
        return roster.needs(service, needed)
    }

    /// Nobody is called about `entry` while `parent` is open.
    mutating func hold(_ entry: inout Entry, under parent: String, at now: Timestamp) -> [Action] {
        entry.page.hold()
        entry.hold = .child(of: parent)
        entry.wakeAt = nil
        var actions: [Action] = [.record(entry.event(.held, at: now, detail: "under page \(parent)"))]
        if let alarm = entry.alarm {
            entry.alarm = nil
            actions.append(.takeBack(alarm))
        }
        return actions
    }

    /// A new page makes those of services that need its service its children, unless somebody has answered them.
    mutating func holdChildren(of parent: Entry, at now: Timestamp) -> [Action] {
        if roster.dependencies.isEmpty || parent.problem.labels["service"] == nil { return [] }
        var actions: [Action] = []
        for id in open.values.sorted() {
            guard var entry = entries[id], entry.page.state == .escalating, entry.hold == nil,
                holds(parent.page.id, entry)
            else { continue }
            actions += hold(&entry, under: parent.page.id, at: now)
            keep(entry)
        }
        return actions
    }

    /// The page `parent` is over.
    mutating func releaseChildren(of parent: String, at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for id in children(of: parent) {
            guard var entry = entries[id] else { continue }
            actions += release(&entry, after: Self.grace, at: now)
            keep(entry)
        }
        return actions
    }

    /// Another page holds `entry`, or its people are called.
    ///
    /// - Parameter wait: how long its people are not called yet.
    mutating func release(_ entry: inout Entry, after wait: Milliseconds, at now: Timestamp) -> [Action] {
        if let next = parent(of: entry) {
            entry.hold = .child(of: next)
            return [.record(entry.event(.held, at: now, detail: "under page \(next)"))]
        }
        entry.hold = nil
        entry.page.release(at: now + wait)
        entry.wakeAt = now + wait
        return [.record(entry.event(.released, at: now))]
    }

    // MARK: Flapping

    /// A page of a problem that has had many within a short time stays open until the problem stays away.
    mutating func noteFlapping(_ entry: inout Entry, at now: Timestamp) -> [Action] {
        guard let rule = roster.flapping else { return [] }
        let key = entry.page.key
        let before = entries.values.count { $0.page.key == key && $0.page.openedAt + rule.window > now }
        guard before + 1 >= rule.pages else { return [] }
        entry.isFlapping = true
        let detail = "page \(before + 1) within \(rule.window)"
        return [.record(entry.event(.flapping, at: now, detail: detail))]
    }

    /// A flapping problem is away: nobody is called, and the page ends when it stays away.
    mutating func quieten(_ known: Entry, by source: String, at now: Timestamp) -> [Action] {
        guard let rule = roster.flapping else { return [] }
        var entry = known
        if case .quiet = entry.hold { return [] }
        if entry.hold != nil {
            // Nobody was called for it; it needs no care to call nobody again.
            return ordered(PageOrder(.resolve, by: .source(source)), page: entry.page.id, at: now).actions
        }
        entry.page.hold()
        entry.hold = .quiet(since: now, source: source)
        entry.wakeAt = now + rule.quiet
        keep(entry)
        return []
    }

    /// When the page of a flapping problem that is away since `since` ends.
    func quietEnd(_ since: Timestamp) -> Timestamp { since + (roster.flapping?.quiet ?? .zero) }

    /// A flapping problem is back before its page ended: its people are called as if it had been away for no time.
    mutating func comeBack(_ entry: inout Entry, at now: Timestamp) -> [Action] {
        guard case .quiet(let since, _) = entry.hold else { return [] }
        entry.hold = nil
        entry.page.goOn(after: now - since)
        let pageActions = entry.page.clockReached(now, roster: roster)
        let actions = take(pageActions, &entry, at: now)
        keep(entry)
        return actions
    }
}
