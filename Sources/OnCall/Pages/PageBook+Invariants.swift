extension PageBook {
    /// The invariants after every event; a sentence for each violation.
    public func checkInvariants() -> [String] {
        var faults: [String] = []
        func require(_ holds: Bool, _ fault: String) { if !holds { faults.append(fault) } }
        for (id, entry) in entries {
            let page = entry.page
            faults += page.checkInvariants(roster: roster).map { "page \(id): \($0)" }
            require(page.id == id, "page \(id) is stored as another")
            require(page.isResolved == (open[page.key] != id), "page \(id): the list of open pages is wrong")
            require(entry.usedLinks.count == Set(entry.usedLinks).count, "page \(id): a link was used twice")
            require(!page.isResolved || entry.alarm == nil, "page \(id) is resolved and has an alarm")
            require(entry.closing.isEmpty != closing.contains(id), "page \(id): the list of closing pages is wrong")
            if case .child(let parent) = entry.hold {
                require(parent != id && page.state == .escalating, "page \(id) is held although somebody answered")
            }
            if entry.hold != nil {
                require(
                    page.outstanding.isEmpty && page.scheduled.isEmpty, "page \(id) is held, and somebody is called")
            }
            if page.state == .escalating {
                require(isAttended(entry), "page \(id): nobody is called, and no alarm says so")
            }
        }
        for (key, id) in open {
            require(entries[id]?.page.key == key, "the open page of \(key) is another's")
        }
        return faults
    }

    /// Whether somebody is called or will be, or an alarm says that nobody is. What on-call itself raised has no alarm.
    private func isAttended(_ entry: Entry) -> Bool {
        if case .child(let parent) = entry.hold, entries[parent]?.page.isResolved == false { return true }
        return entry.wakeAt != nil || !entry.page.outstanding.isEmpty || entry.alarm != nil || entry.problem.isAlarm
            || roster.policy(entry.page.policy)?.expectsAnswer == false
    }
}
