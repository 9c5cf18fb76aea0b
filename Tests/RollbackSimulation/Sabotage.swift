/// A defect built into the shell around the machines, to prove that the checks detect it.
public enum Sabotage: String, Sendable, CaseIterable {
    /// Records are reported as stored before they are.
    case reportsStoredEarly
    /// Operations wait until the journal is written.
    case waitsForJournal
    /// Rules are stored before the journal has their trips.
    case keepsRulesEarly
    /// A damaged journal is taken for an empty one.
    case forgetsLoss
    /// A reading that failed is reported as the wanted weights.
    case answersForRouters
    /// Journal writes stay in memory: a crash loses the last ones.
    case skipsFsync
    /// A restart continues from an earlier record.
    case readsOldRecord
    /// The process is not informed that it lost the lease.
    case ignoresLeaseLoss
    /// After the lease has changed hands twice, operations still carry the old epoch.
    case keepsOldEpoch
    /// A restart forgets the cooldown.
    case forgetsCooldown
    /// The stable version is reported healthy without a check.
    case assumesHealthyTarget
    /// Weights are reported correct without reading them.
    case inventsReadBack
    /// Rollback uses a plan without dependencies.
    case ignoresDependencies
    /// Drift is not detected.
    case hidesDrift
    /// Commands to abort are acknowledged and dropped.
    case swallowsAbort
    /// Steps are not written to the history.
    case dropsEvidence
    /// Missing data count as violations.
    case countsMissing
    /// Missing data count as healthy.
    case resetsOnMissing
    /// A restart forgets streaks and trips.
    case forgetsStreaks
    /// A reload of rules forgets streaks and trips.
    case forgetsStreaksAtReload
    /// Operations wait until the history can be written.
    case waitsForHistory
    /// A router's driver leaves out weights of zero.
    case omitsZero
    /// Trips are decided, but no action follows.
    case dropsTrips
    /// Cooldowns end immediately.
    case skipsCooldown
    /// A restart forgets the candidate of the last rollout.
    case forgetsVersion
    /// The records of another node are treated as everything that it did.
    case trustsEveryRecord
    /// The process is not informed that the lease's database does not respond.
    case ignoresSolitude
    /// Messages that were passed to the notifier are passed again.
    case repeatsNotices
    /// A restart raises the last incident again, although its rollback has ended.
    case raisesAgain
    /// The process does not know the services of a rule.
    case asksForNoData

    /// Traffic that no rollout gave is not reported.
    case hidesUnmanaged
    /// A restart forgets that nothing is to be written for some time.
    case forgetsObservation

    /// A restart forgets that a service cannot go back any more.
    case forgetsIrreversibility

    /// The process does not know the hooks of its plan.
    case ignoresHooks

    /// The invariants expected to detect it.
    public var foundBy: Set<Invariant> {
        switch self {
        case .reportsStoredEarly: [.recovery]
        case .waitsForJournal: [.nothingDelaysTheShift]
        case .keepsRulesEarly: [.handledTrip]
        case .forgetsLoss: [.lostRecord]
        case .answersForRouters: [.unreadDivision]
        case .skipsFsync: [.recovery, .ownStart]
        case .readsOldRecord: [.recovery]
        case .ignoresLeaseLoss, .keepsOldEpoch: [.leaseHolderOnly]
        case .forgetsCooldown: [.noRiseWhileTripped, .recovery]
        case .assumesHealthyTarget: [.healthyTarget]
        case .inventsReadBack: [.readBack]
        case .ignoresDependencies: [.dependentsFirst]
        case .hidesDrift: [.driftCorrected]
        case .swallowsAbort: [.reload]
        case .dropsEvidence: [.evidence]
        case .countsMissing: [.missingNeverTrips]
        case .resetsOnMissing: [.missingNeverResets]
        case .forgetsStreaks, .forgetsStreaksAtReload: [.reload, .missingNeverResets]
        case .waitsForHistory: [.nothingDelaysTheShift]
        case .omitsZero: [.weights]
        case .dropsTrips: [.oneRollback]
        case .skipsCooldown: [.noRiseWhileTripped]
        case .forgetsVersion: [.ownStart]
        case .asksForNoData: [.countedData]
        case .trustsEveryRecord: [.noRiseWhileTripped]
        case .ignoresSolitude: [.leaseHolderOnly, .ownStart]
        case .forgetsIrreversibility: [.irreversible]
        case .hidesUnmanaged: [.unmanaged]
        case .ignoresHooks: [.hooks]
        case .forgetsObservation: [.observing]
        case .repeatsNotices, .raisesAgain: [.toldOnce]
        }
    }
}
