import Rollback

/// The properties that must hold at every step of every world.
public enum Invariant: Int, Sendable, CaseIterable, CustomStringConvertible {
    case oneRollback = 1
    case weights
    case noRiseWhileTripped
    case healthyTarget
    case missingNeverTrips
    case missingNeverResets
    case nothingDelaysTheShift
    case recovery
    case leaseHolderOnly
    case readBack
    case driftCorrected
    case dependentsFirst
    case evidence
    case toldOnce
    case reload
    case ownStart
    case countedData
    case unreadDivision
    case handledTrip
    case lostRecord
    case unmanaged
    case observing
    case irreversible
    case hooks

    /// The count of numbers, including 0.
    static let slots = (allCases.map(\.rawValue).max() ?? 0) + 1

    /// The number and the property.
    public var description: String {
        let text =
            switch self {
            case .oneRollback: "a trip causes exactly one rollback of a route in a generation"
            case .weights: "weights sum to 100, and an explicit 0 arrives"
            case .noRiseWhileTripped: "no candidate's weight rises while a trip or a cooldown is active"
            case .healthyTarget: "traffic goes to verified healthy targets only"
            case .missingNeverTrips: "missing data alone never trip"
            case .missingNeverResets: "missing data never reset a streak or a trip"
            case .nothingDelaysTheShift: "a shift waits for nothing but its dependents"
            case .recovery: "a restart continues where the journal ends, and becomes stable"
            case .leaseHolderOnly: "only the holder of the lease acts, under its own epoch"
            case .readBack: "what counts as done has been read back"
            case .driftCorrected: "drift is corrected"
            case .dependentsFirst: "dependents go back first"
            case .evidence: "every step is in the history with its evidence"
            case .toldOnce: "a step or a freeze is notified once, and not after the end"
            case .reload: "a reload or restart loses no streak and no trip; abort wins"
            case .countedData: "no candidate rises past its first stage without data that count, of its own service"
            case .unreadDivision: "no status claims a division that was not read"
            case .handledTrip: "a trip counts as handled only when traffic was shifted or the journal has it"
            case .lostRecord: "a lost record stops promotion until it is acknowledged, and no rollback"
            case .unmanaged:
                "traffic that no rollout gave is taken back or paged on a trip; without an order only beside stable traffic"
            case .observing: "while a person wants to observe only, nothing is written to routers"
            case .hooks: "a candidate rises when the hooks before that have passed, and those after it are called"
            case .irreversible: "a service that cannot go back keeps its traffic"
            case .ownStart: "a rollout begins automatically if its plan says so, and once for a candidate"
            }
        return "\(rawValue) (\(text))"
    }
}

/// A check that failed.
public struct Violation: Equatable, Sendable, CustomStringConvertible {
    /// The violated property.
    public var invariant: Invariant
    /// The details.
    public var detail: String
    /// Milliseconds since the start of the world.
    public var milliseconds: Int64

    /// One line.
    public var description: String { "at \(milliseconds) ms: invariant \(invariant): \(detail)" }
}
