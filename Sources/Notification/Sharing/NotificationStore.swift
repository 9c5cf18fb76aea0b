/// The database in which the nodes of a lease share notifications and silences. Called from one thread at a time, which
/// it may block for a few seconds.
public protocol NotificationStore: Sendable {
    /// The notifications that the nodes have sent.
    func notifications() throws(NotificationStoreFault) -> [NotificationLogEntry]
    /// Stores changes. Returns false and changes nothing if this node does not hold the lease.
    func keep(_ changes: [NotificationLogEntry.Change]) throws(NotificationStoreFault) -> Bool
    /// When each silence was changed last, in milliseconds since the epoch, by id.
    func silences() throws(NotificationStoreFault) -> [String: Int64]
    /// The silence `id`; `nil` if there is none.
    func silence(_ id: String) throws(NotificationStoreFault) -> SharedSilence?
    /// Stores a silence unless the stored one is newer.
    func put(_ silence: SharedSilence) throws(NotificationStoreFault)
    /// Deletes a silence.
    func delete(silence id: String) throws(NotificationStoreFault)
}

/// A silence as the nodes share it.
public struct SharedSilence: Equatable, Sendable {
    /// Its id.
    public var id: String
    /// When it was changed last, in milliseconds since the epoch.
    public var updated: Int64
    /// The silence as JSON.
    public var text: String

    /// A silence.
    public init(id: String, updated: Int64, text: String) {
        self.id = id
        self.updated = updated
        self.text = text
    }
}

/// Why the database did not respond.
public struct NotificationStoreFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason, without secrets.
    public var description: String

    /// A fault.
    public init(_ description: String) { self.description = description }
}
