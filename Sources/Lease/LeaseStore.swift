public import JSON

/// The database that keeps the lease, and what its holders leave for each other. Called from one thread, which it may
/// block for less than a fourth of the lease's duration.
public protocol LeaseStore: Sendable {
    /// Who holds the lease.
    func look() throws(LeaseFault) -> Lease.Sighting
    /// Takes the lease unless it has changed since `sighting`; the new epoch is above `floor`. `nil` when it has
    /// changed.
    func take(_ sighting: Lease.Sighting, holder: String, milliseconds: Int64, above floor: UInt64) throws(LeaseFault)
        -> UInt64?
    /// Prolongs the lease. False when it is no longer the holder's.
    func renew(holder: String, epoch: UInt64, milliseconds: Int64) throws(LeaseFault) -> Bool
    /// Gives the lease back.
    func release(holder: String, epoch: UInt64) throws(LeaseFault)
    /// Keeps the last journal record of `plan`. False, changing nothing, when the lease is no longer the holder's.
    func keep(_ record: [UInt8], plan: String, holder: String, epoch: UInt64) throws(LeaseFault) -> Bool
    /// The records that were kept, by plan.
    func records() throws(LeaseFault) -> [String: [UInt8]]
}

/// Why the database did not answer.
public struct LeaseFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason; holds no secrets.
    public var description: String

    /// A fault.
    public init(_ description: String) {
        self.description = description
    }
}

/// What a new holder finds of the one before.
public struct HandOver: Equatable, Sendable {
    /// The last journal record of each plan that reached the database.
    public var records: [String: [UInt8]]
    /// The epoch under which the lease was held before, by a process whose last records may be missing; `nil` where the
    /// lease was given back.
    public var leader: UInt64?
}

/// What a node has to know to share the work with others.
public struct LeaseSettings: Sendable {
    /// The database.
    public var store: any LeaseStore
    /// How this node is called; equal again after a restart, different from every other node's.
    public var holder: String
    /// How long the lease lasts without renewal.
    public var milliseconds: Int64
    /// Called when the node's standing has changed, from the thread that keeps the lease.
    public var onChange: @Sendable (Lease.Standing) -> Void

    /// A share in the lease in `store`.
    public init(
        store: any LeaseStore, holder: String, milliseconds: Int64,
        onChange: @escaping @Sendable (Lease.Standing) -> Void = { _ in }
    ) {
        self.store = store
        self.holder = holder
        self.milliseconds = milliseconds
        self.onChange = onChange
    }
}

/// The lease as people want to see it.
public struct LeaseStatus: Equatable, Sendable {
    /// `leading`, `alone`, `standby` or `unknown`.
    public var standing: String
    /// Who holds it, as far as is known.
    public var holder: String
    /// The last epoch that is known.
    public var epoch: UInt64
    /// Why the database could not be asked last time.
    public var fault: String?

    /// The status for machines.
    public var json: JSON {
        [
            "standing": .string(standing), "holder": .string(holder), "epoch": .integer(Int64(clamping: epoch)),
            "fault": fault.map(JSON.string) ?? .null,
        ]
    }
}
