/// A defect built into the shell around the machines, to prove that the checks find what they are there for.
public enum Sabotage: String, Sendable, CaseIterable {
    /// Routers are asked before the intent is journalled.
    case actsBeforeJournal
    /// Journal writes stay in memory: a crash loses the last ones.
    case skipsFsync
    /// A restart takes up an earlier record.
    case readsOldRecord
    /// The process does not hear that it lost the lease.
    case ignoresLeaseLoss
    /// After the lease has changed hands twice, operations still carry the old epoch.
    case keepsOldEpoch
    /// A restart forgets the cooldown.
    case forgetsCooldown
    /// The stable version is called healthy without being asked.
    case assumesHealthyTarget
    /// Weights are called right without being read.
    case inventsReadBack
    /// Rollback goes by a plan without dependencies.
    case ignoresDependencies
    /// Drift is not looked for.
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
    /// Trips are decided and not acted on.
    case dropsTrips
    /// Cooldowns end at once.
    case skipsCooldown
    /// A restart forgets which candidate the last rollout was begun for.
    case forgetsVersion
    /// What another node left is taken for all that it did.
    case trustsEveryRecord
    /// The process does not hear that the lease's database is away.
    case ignoresSolitude
    /// What was handed to the notifier is handed over again.
    case repeatsNotices
    /// A restart raises the last incident again, though its rollback is over.
    case raisesAgain
    /// The process is not told which services a rule judges.
    case asksForNoData

    /// What is expected to find it.
    public var foundBy: Set<Invariant> {
        switch self {
        case .actsBeforeJournal: [.recovery, .readBack]
        case .skipsFsync, .readsOldRecord: [.recovery]
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
        case .ignoresSolitude: [.leaseHolderOnly]
        case .repeatsNotices, .raisesAgain: [.toldOnce]
        }
    }
}
