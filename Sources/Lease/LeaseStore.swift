public import JSON

/// The database with the lease and its holders' records. Called from one thread, which it may block for less than a
/// quarter of the lease's duration.
public protocol LeaseStore: Sendable {
    /// Reads the lease.
    func look() throws(LeaseFault) -> Lease.Sighting
    /// Takes the lease unless it has changed since `sighting`. The new epoch is higher than `floor`. `nil` if it has
    /// changed.
    func take(_ sighting: Lease.Sighting, holder: String, milliseconds: Int64, above floor: UInt64) throws(LeaseFault)
        -> UInt64?
    /// Renews the lease. Returns false if it is no longer the holder's.
    func renew(holder: String, epoch: UInt64, milliseconds: Int64) throws(LeaseFault) -> Bool
    /// Releases the lease.
    func release(holder: String, epoch: UInt64) throws(LeaseFault)
    /// Stores the last journal record of `plan`. Returns false and changes nothing if the lease is no longer the
    /// holder's.
    func keep(_ record: [UInt8], plan: String, holder: String, epoch: UInt64) throws(LeaseFault) -> Bool
    /// The stored records, by plan.
    func records() throws(LeaseFault) -> [String: [UInt8]]
}

/// Why the database did not respond.
public struct LeaseFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason, without secrets.
    public var description: String

    /// A fault.
    public init(_ description: String) {
        self.description = description
    }
}

/// The state that a new holder finds.
public struct HandOver: Equatable, Sendable {
    /// The last journal record of each plan that reached the database.
    public var records: [String: [UInt8]]
    /// The epoch of the previous holder, whose last records may be missing; `nil` if the lease was released.
    public var leader: UInt64?
}

/// Settings of a node that shares a lease.
public struct LeaseSettings: Sendable {
    /// The database.
    public var store: any LeaseStore
    /// The name of this node: the same after a restart, different from all other nodes'.
    public var holder: String
    /// The duration of the lease without renewal.
    public var milliseconds: Int64
    /// Called when the node's standing has changed, from the thread that maintains the lease.
    public var onChange: @Sendable (Lease.Standing) -> Void

    /// Settings for the lease in `store`.
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

/// The state of the lease, for display.
public struct LeaseStatus: Equatable, Sendable {
    /// `leading`, `alone`, `standby` or `unknown`.
    public var standing: String
    /// The last known holder.
    public var holder: String
    /// The last known epoch.
    public var epoch: UInt64
    /// The error of the last request to the database.
    public var fault: String?

    /// The status as JSON.
    public var json: JSON {
        [
            "standing": .string(standing), "holder": .string(holder), "epoch": .integer(Int64(clamping: epoch)),
            "fault": fault.map(JSON.string) ?? .null,
        ]
    }
}
