internal import Instrumentation
internal import MetricModel
internal import OnCall
internal import Runtime
internal import Synchronization

/// The state owned by the machine's thread: the machine, its journal, its clock and its part in the lease.
struct OnCallCourse: ~Copyable {
    /// Whether this node acts, among those that share pages.
    private enum Turn {
        case standby
        /// To: `leading`, when the shared pages were read or did not come before `until`.
        case takingOver(until: Int64)
        case leading
    }

    /// How often a node that shares a lease looks whether it acts.
    private static let turnNanoseconds: Int64 = 250_000_000
    /// How long a node that takes over waits for the shared pages before it goes on with its own.
    private static let takeOverNanoseconds: Int64 = 10_000_000_000
    /// A difference of the clocks from which on the clock counts as set.
    private static let jump = Milliseconds.seconds(2)
    /// How long the database is left alone after a failure, so that calls do not wait for it each time.
    private static let storePause: Int64 = 10_000_000_000

    private let runner: OnCallRunner
    private var journal: PageJournal?
    /// This node's pages when it takes over: its journal, or its pages when it acted last.
    private var own: [PageBook.Record]
    private var book: PageBook
    private var turn = Turn.standby
    /// Wall clock minus the clock that nobody sets, in milliseconds.
    private var offset: Int64
    /// Pages that are not in the shared database yet.
    private var unshared: (changed: Set<String>, forgotten: Set<String>) = ([], [])
    private var storeAt: Int64 = 0
    /// The epoch of the lease under which this node acts or acted last; 0 without a lease.
    private var epoch: Int64 = 0

    init(_ journal: consuming PageJournal?, runner: OnCallRunner) {
        self.runner = runner
        own = journal?.recovered ?? []
        if journal?.wasDamaged == true { runner.instruments.lost.add() }
        self.journal = consume journal
        book = PageBook(runner.current.withLock { $0.configuration.onCall.roster })
        offset = runner.settings.wall() - Self.steady
    }

    /// Milliseconds of a clock that nobody sets, which also counts while the machine sleeps.
    private static var steady: Int64 { SystemClock.bootNanoseconds() / 1_000_000 }

    private var now: Timestamp { Timestamp(milliseconds: Self.steady + offset) }

    /// Works until the runner stops.
    mutating func run() {
        while true {
            followClock()
            followLease()
            let reception = runner.events.receive(deadline: deadline)
            followClock()
            // Before any decision, because the process may have been stopped for any time.
            followLease()
            switch reception {
            case .closed: return
            case .timedOut: break
            case .message(let event): take(event)
            }
            if isLeading, !runner.isStopping.load(ordering: .relaxed) { perform(book.clockReached(now)) }
        }
    }

    private var isLeading: Bool { if case .leading = turn { true } else { false } }

    private var deadline: Int64? {
        let monotonic = SystemClock.monotonicNanoseconds()
        let wake = isLeading ? book.wakeAt.map { max(0, ($0 - now).rawValue) } : nil
        // A clock that is set wakes nobody, so it is looked at from time to time.
        var wait = min(wake ?? 10_000, 10_000) * 1_000_000
        if runner.settings.store != nil || !isLeading { wait = min(wait, Self.turnNanoseconds) }
        return monotonic + wait
    }

    // MARK: Clock and lease

    /// The clock of the machine follows the wall clock. Where it is set, delays go on as if it had not been.
    private mutating func followClock() {
        let difference = runner.settings.wall() - (Self.steady + offset)
        guard difference.magnitude > UInt64(Self.jump.rawValue) else { return }
        offset += difference
        runner.instruments.jumps.add()
        runner.logger.warn("the clock was set", ["milliseconds": difference])
        book.clockWasSet(by: Milliseconds(rawValue: difference))
        perform([])
    }

    private mutating func followLease() {
        let mayAct = runner.settings.mayAct()
        let monotonic = SystemClock.monotonicNanoseconds()
        switch turn {
        case .standby where mayAct:
            turn = .takingOver(until: monotonic + Self.takeOverNanoseconds)
            takeOver(until: monotonic + Self.takeOverNanoseconds)
        case .takingOver(let until) where mayAct: takeOver(until: until)
        case .leading where mayAct: break
        case .standby: break
        case .leading, .takingOver: standBy()
        }
    }

    private mutating func standBy() {
        turn = .standby
        runner.isLeading.store(false, ordering: .relaxed)
        runner.logger.info("another node acts for on-call")
        own = [book.record(at: now, epoch: epoch)]
        book = book.emptied
        unshared = ([], [])
        publish()
    }

    private mutating func takeOver(until: Int64) {
        guard let store = runner.settings.store else { return lead(own) }
        do throws(PageStoreFault) {
            let (shared, epoch) = try store.pages()
            // This node's own pages count unless another node has acted since.
            let recent = own.filter { $0.epoch >= epoch }
            lead(recent + [shared])
        } catch {
            guard SystemClock.monotonicNanoseconds() >= until else { return }
            runner.logger.error(
                "this node acts for on-call without the shared pages; some calls may be repeated",
                ["error": error.description])
            lead(own)
        }
    }

    private mutating func lead(_ records: [PageBook.Record]) {
        turn = .leading
        epoch = runner.settings.store?.epoch ?? 0
        own = []
        book.restored(records, at: now)
        runner.isLeading.store(true, ordering: .relaxed)
        runner.logger.info("this node acts for on-call", ["pages": book.openCount])
        unshared.changed = book.ids
        perform(book.resumed())
    }

    // MARK: Events

    private mutating func take(_ event: OnCallRunner.Event) {
        switch event {
        case .signal(let signal, let answer): answer.send(take(signal))
        case .order(let order, let page, let answer):
            guard isLeading else {
                answer.send(.failure(.notLeading))
                return
            }
            let (outcome, actions) = book.ordered(order, page: page, at: now)
            guard store() else {
                answer.send(.failure(.notLeading))
                return
            }
            answer.send(.success(outcome))
            carryOut(actions)
        case .scheduleOrder(let order, let answer):
            guard isLeading else {
                answer.send(.failure(.notLeading))
                return
            }
            let (outcome, actions) = book.ordered(order, at: now, id: Self.randomID)
            guard store() else {
                answer.send(.failure(.notLeading))
                return
            }
            answer.send(.success(outcome))
            carryOut(actions)
        case .browserOrder(let order, let answer):
            guard isLeading else {
                answer.send(.failure(.notLeading))
                return
            }
            let outcome = book.ordered(order, at: now, id: Self.randomID)
            answer.send(store() ? .success(outcome) : .failure(.notLeading))
        case .browserGone(let id, let endpoint):
            guard isLeading, book.browserIsGone(id, endpoint: endpoint) else { return }
            runner.logger.info("a browser is not notified any more", ["browser": id, "reason": "it is gone"])
            perform([])
        case .called(let page, let number):
            runner.instruments.delivered.add()
            if isLeading { perform(book.called(number, page: page, at: now)) }
        case .callFailed(let page, let number, let reason, let isFinal):
            runner.instruments.failed.add()
            if isLeading {
                perform(book.callFailed(number, page: page, reason: reason, isFinal: isFinal, at: now))
            }
        case .closed(let page, let receiver, let hasTakenIt):
            if isLeading {
                book.closed(page, at: receiver, hasTakenIt: hasTakenIt, at: now)
                perform([])
            }
        case .digestFailed(let content): if isLeading { book.digestFailed(content, at: now) }
        case .reconfigured:
            let roster = runner.current.withLock { $0.configuration.onCall.roster }
            let actions = book.reconfigured(roster, at: now)
            if isLeading { perform(actions) } else { publish() }
        case .probe(let pulse): pulse.answer()
        case .calendar(let schedule, let shifts):
            book.calendarRead(schedule, shifts)
            publish()
        }
    }

    /// Returns why the signal is refused, or `nil` when what follows is stored.
    private mutating func take(_ signal: Signal) -> OnCallRefusal? {
        guard isLeading else { return .notLeading }
        let actions: [PageBook.Action]
        switch signal {
        case .trigger(let problem):
            guard book.openPage(of: problem.key) != nil || !book.isFull else {
                runner.instruments.refused.add()
                return .full
            }
            actions = book.triggered(problem, id: freshID(), at: now)
        case .acknowledge(let key):
            guard let entry = book.openPage(of: key) else { return nil }
            let order = PageOrder(.acknowledge, by: .source(entry.problem.source))
            actions = book.ordered(order, page: entry.page.id, at: now).actions
        case .heartbeat(let name): actions = book.beat(name, at: now)
        case .resolve(let key):
            guard let entry = book.openPage(of: key) else { return nil }
            actions = book.ended(key, by: entry.problem.source, at: now)
        }
        guard store() else { return .notLeading }
        carryOut(actions)
        return nil
    }

    /// An id that is short enough to be read out, and not that of a page that is remembered.
    private func freshID() -> String {
        while true {
            let id = Self.randomID()
            if book.entries[id] == nil { return id }
        }
    }

    private static func randomID() -> String {
        String((0..<8).map { _ in "23456789abcdefghjkmnpqrstuvwxyz".randomElement() ?? "0" })
    }

    // MARK: Steps

    /// Stores what the last event changed, then carries out what follows from it.
    private mutating func perform(_ actions: [PageBook.Action]) {
        guard store() else { return }
        carryOut(actions)
    }

    /// Stores the changes of the last event. Returns false if another node acts, so that nothing may follow.
    private mutating func store() -> Bool {
        let (changed, overrides, browsers, forgotten) = book.takeChanges()
        if !changed.isEmpty || !overrides.isEmpty || !browsers.isEmpty || !forgotten.isEmpty {
            runner.afterStep?("before journal")
            let record = PageBook.Record(
                entries: changed, overrides: overrides, browsers: browsers, forgotten: forgotten, at: now, epoch: epoch)
            let (copy, now, epoch) = (book, now, epoch)
            let isKept = journal?.keep(record, everything: { copy.record(at: now, epoch: epoch) }) ?? false
            if !isKept { runner.instruments.lost.add() }
            runner.afterStep?("after journal")
            unshared.changed.formUnion(changed.map(\.page.id) + overrides.map(\.id) + browsers.map(\.id))
            unshared.forgotten.formUnion(forgotten)
        }
        defer { publish() }
        return share()
    }

    /// Stores in the shared database what is not there yet. Returns false if another node acts.
    private mutating func share() -> Bool {
        guard let store = runner.settings.store else {
            unshared = ([], [])
            return true
        }
        let monotonic = SystemClock.monotonicNanoseconds()
        guard !unshared.changed.isEmpty || !unshared.forgotten.isEmpty, monotonic >= storeAt else { return true }
        let (entries, overrides, browsers) = book.stored(unshared.changed)
        let record = PageBook.Record(
            entries: entries, overrides: overrides, browsers: browsers, forgotten: unshared.forgotten.sorted(), at: now)
        do throws(PageStoreFault) {
            guard try store.keep(record) else {
                standBy()
                return false
            }
            unshared = ([], [])
        } catch {
            // People are called all the same: a call that is repeated after a fail-over is better than none.
            runner.instruments.unshared.add()
            storeAt = SystemClock.monotonicNanoseconds() + Self.storePause
            runner.logger.error("pages not stored for the other nodes", ["error": error.description])
        }
        return true
    }

    private func publish() {
        let copy = book
        runner.published.withLock { $0 = copy }
    }

    private func carryOut(_ actions: [PageBook.Action]) {
        for action in actions {
            switch action {
            case .call(let call, let entry):
                runner.send(CallJob(kind: .call(call), entry: entry, receiver: call.receiver))
            case .sendResolved(let receivers, let entry):
                for receiver in receivers {
                    runner.send(CallJob(kind: .resolved, entry: entry, receiver: receiver))
                }
            case .sendDigest(let content): runner.send(content)
            case .sendAcknowledged(let receivers, let entry):
                for receiver in receivers {
                    runner.send(CallJob(kind: .acknowledged, entry: entry, receiver: receiver))
                }
            case .record(let event):
                count(event)
                runner.sinks.event(event)
            case .recordSchedule(let event): runner.sinks.schedule(event)
            case .raise(let alarm): runner.sinks.alarm(alarm, false)
            case .takeBack(let alarm): runner.sinks.alarm(alarm, true)
            }
        }
    }

    private func count(_ event: PageEvent) {
        switch event.kind {
        case .opened: runner.instruments.opened.add()
        case .undelivered: runner.instruments.undelivered.add()
        case .unanswered: runner.instruments.unanswered.add()
        case .unreachable: runner.instruments.unreachable.add()
        case .called, .callFailed, .acknowledged, .snoozed, .reassigned, .escalated, .noted, .calledAgain, .resolved,
            .held, .released, .flapping:
            break
        }
    }
}
