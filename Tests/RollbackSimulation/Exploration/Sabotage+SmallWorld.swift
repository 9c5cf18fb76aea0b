extension Sabotage {
    /// The smallest world in which exploration finds the defect, and the invariants that may find it first; `nil` for a
    /// defect in what small worlds do not have.
    public var smallWorld: (size: SmallWorld.Size, foundBy: Set<Invariant>)? {
        switch self {
        case .reportsStoredEarly: (.init(generations: 1), [.recovery])
        case .waitsForJournal: (.init(generations: 1), [.nothingDelaysTheShift])
        case .answersForRouters: (.init(faults: 1, generations: 1), [.unreadDivision])
        case .forgetsCooldown: (.init(faults: 1), [.noRiseWhileTripped])
        case .assumesHealthyTarget: (.init(faults: 1, generations: 1), [.healthyTarget])
        case .inventsReadBack: (.init(generations: 1), [.readBack])
        case .ignoresDependencies: (.init(services: 2, generations: 1), [.dependentsFirst, .oneRollback])
        case .hidesDrift: (.init(faults: 1, generations: 1), [.driftCorrected])
        case .swallowsAbort: (.init(orders: 1, generations: 1), [.reload])
        case .countsMissing: (.init(generations: 1), [.missingNeverTrips])
        case .resetsOnMissing: (.init(generations: 1), [.missingNeverResets])
        case .dropsTrips: (.init(generations: 1), [.oneRollback])
        case .skipsCooldown: (.init(), [.noRiseWhileTripped])
        case .asksForNoData: (.init(generations: 1), [.countedData])
        // They have no lease, history, hooks, automatic starts, observation or damage, and neither evidence nor notices
        // are checked in them. Of rules that are stored early the machine itself makes the best.
        case .forgetsLoss, .keepsRulesEarly, .skipsFsync, .readsOldRecord, .ignoresLeaseLoss, .keepsOldEpoch,
            .dropsEvidence, .forgetsStreaks, .forgetsStreaksAtReload, .waitsForHistory, .omitsZero, .forgetsVersion,
            .trustsEveryRecord, .ignoresSolitude, .repeatsNotices, .raisesAgain, .hidesUnmanaged, .forgetsObservation,
            .forgetsIrreversibility, .ignoresHooks:
            nil
        }
    }

    /// Whether it shows only after many events, so that its search begins at every moment of a rollout.
    public var isFoundAlongRollout: Bool { self == .ignoresDependencies || self == .hidesDrift }
}
