public import MetricModel

extension PageBook {
    /// A person, or a program for them, gives an order.
    public mutating func ordered(
        _ order: PageOrder, page id: String, at now: Timestamp
    ) -> (outcome: PageOutcome, actions: [Action]) {
        guard var entry = entries[id] else { return (.unknownPage, []) }
        if let link = order.link {
            guard !entry.usedLinks.contains(link) else { return (.linkIsUsed, []) }
            entry.usedLinks.append(link)
        }
        let hold = entry.hold
        switch (hold, order.verb) {
        case (.quiet, .escalate), (.quiet, .reassign):
            return (.refused("the problem is away; it is to come back first"), [])
        case (.child, .note), (.quiet, _), (nil, _): break
        // An order of a person counts more than the page of another problem.
        case (.child, _): entry.hold = nil
        }
        let (outcome, actions) = carryOut(order, &entry, at: now)
        if outcome != .done { entry.hold = hold }
        // The page of a flapping problem ends all the same when the problem stays away.
        if case .quiet(let since, _) = entry.hold {
            if entry.page.isResolved { entry.hold = nil } else { entry.wakeAt = quietEnd(since) }
        }
        if outcome == .done || order.link != nil { keep(entry) }
        guard outcome == .done, entry.page.isResolved else { return (outcome, actions) }
        return (outcome, actions + releaseChildren(of: id, at: now))
    }

    private mutating func carryOut(
        _ order: PageOrder, _ entry: inout Entry, at now: Timestamp
    ) -> (PageOutcome, [Action]) {
        let over = (PageOutcome.unchanged("the page is resolved"), [Action]())
        switch order.verb {
        case .acknowledge:
            if case .acknowledged(let person, _) = entry.page.state, person == order.actor.name {
                return (.unchanged("acknowledged by \(person) before"), [])
            }
            guard let wanted = entry.page.acknowledge(by: order.actor.name, at: now, roster: roster) else {
                return over
            }
            let actions = answered(wanted, .acknowledged, order, &entry, at: now)
            let notified = entry.page.notified
            return (.done, actions + (notified.isEmpty ? [] : [.sendAcknowledged(notified, entry)]))
        case .snooze(let until):
            guard until > now else { return (.refused("the end of the snooze is not in the future"), []) }
            guard until - now <= PageOrder.longestSnooze else {
                return (.refused("a snooze ends within 366 days"), [])
            }
            guard let wanted = entry.page.snooze(by: order.actor.name, until: until) else { return over }
            return (
                .done,
                answered(
                    wanted, .snoozed, order, &entry, at: now,
                    detail: "until \(RFC3339.text(milliseconds: until.milliseconds))")
            )
        case .resolve:
            guard let wanted = entry.page.resolve(at: now) else { return over }
            return (.done, answered(wanted, .resolved, order, &entry, at: now))
        case .reassign(let target):
            let name: String
            switch target {
            case .policy(let policy): name = policy
            case .person(let person): name = EscalationPolicy.ofPerson(person).name
            }
            guard roster.policy(name) != nil else { return (.refused("there is no \(target.text)"), []) }
            guard let wanted = entry.page.reassign(to: name, at: now, roster: roster) else { return over }
            return (.done, answered(wanted, .reassigned, order, &entry, at: now, detail: "to \(target.text)"))
        case .escalate:
            if entry.page.isResolved { return over }
            guard let wanted = entry.page.escalate(at: now, roster: roster) else {
                return (.refused("no step of the policy is left"), [])
            }
            return (.done, answered(wanted, .escalated, order, &entry, at: now))
        case .note(let text):
            let limits = 1...PageOrder.noteLimit
            guard limits.contains(text.utf8.count) else {
                return (.refused("a note has 1 to \(PageOrder.noteLimit) bytes"), [])
            }
            guard entry.notes.count < PageOrder.notesLimit else {
                return (.refused("the page has \(PageOrder.notesLimit) notes, which is the limit"), [])
            }
            entry.notes.append(Note(at: now, by: order.actor.name, text: text))
            return (.done, [.record(entry.event(.noted, at: now, actor: order.actor, detail: text))])
        }
    }

    /// The consequences of an answer to the page: the record, the end of an alarm, what the page wants.
    private mutating func answered(
        _ wanted: [Page.Action], _ kind: PageEvent.Kind, _ order: PageOrder, _ entry: inout Entry, at now: Timestamp,
        detail: String = ""
    ) -> [Action] {
        entry.actor = entry.page.state == .escalating ? nil : order.actor.name
        var actions: [Action] = [.record(entry.event(kind, at: now, actor: order.actor, detail: detail))]
        if let alarm = entry.alarm {
            entry.alarm = nil
            actions.append(.takeBack(alarm))
        }
        return actions + take(wanted, &entry, at: now)
    }
}

extension PageOrder.Target {
    fileprivate var text: String {
        switch self {
        case .policy(let name): "policy \"\(name)\""
        case .person(let name): "person \"\(name)\""
        }
    }
}
