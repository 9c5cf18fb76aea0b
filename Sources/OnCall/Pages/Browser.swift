public import JSON
public import MetricModel

/// A browser that is notified of the calls to a person (Web Push). A value.
public struct Browser: Equatable, Sendable {
    /// The address of a browser: where its messages go, and its keys. Who knows it can send to the browser.
    public struct Address: Equatable, Sendable {
        /// The address that its push service gave to it.
        public var endpoint: String
        /// Its public key, in base64url.
        public var key: String
        /// Its secret, in base64url.
        public var secret: String

        /// An address.
        public init(endpoint: String, key: String, secret: String) {
            self.endpoint = endpoint
            self.key = key
            self.secret = secret
        }

        /// The host of the push service, which is no secret.
        public var service: String {
            String(endpoint.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" })
        }
    }

    /// Its id, unique for ever.
    public internal(set) var id: String
    /// The person.
    public internal(set) var person: String
    /// Where messages go.
    public internal(set) var address: Address
    /// The person's name for it, such as `Firefox on Android`.
    public internal(set) var name: String
    /// When it was added, or gave its address last.
    public internal(set) var at: Timestamp
    /// Grows with each change, so that of two copies the newer one is known.
    public internal(set) var revision: Int64 = 0

    // MARK: Storage

    /// The browser as it is stored.
    public var stored: JSON {
        [
            "browser": .string(id), "person": .string(person), "endpoint": .string(address.endpoint),
            "key": .string(address.key), "secret": .string(address.secret), "name": .string(name), "at": at.stored,
            "revision": .integer(revision),
        ]
    }

    /// Reads a stored browser; `nil` if it is malformed.
    public init?(stored json: JSON) {
        guard let id = json["browser"]?.text, let person = json["person"]?.text,
            let endpoint = json["endpoint"]?.text, let key = json["key"]?.text, let secret = json["secret"]?.text,
            let name = json["name"]?.text, let at = Timestamp(stored: json["at"]),
            let revision = json["revision"]?.integer
        else { return nil }
        self.init(
            id: id, person: person, address: Address(endpoint: endpoint, key: key, secret: secret), name: name, at: at,
            revision: revision)
    }

    init(id: String, person: String, address: Address, name: String, at: Timestamp, revision: Int64 = 0) {
        self.id = id
        self.person = person
        self.address = address
        self.name = name
        self.at = at
        self.revision = revision
    }
}

/// An order about browsers. A value.
public enum BrowserOrder: Equatable, Sendable {
    /// The browser is notified of the calls to the person. One that is known by its endpoint is changed.
    case add(person: String, Browser.Address, name: String)
    /// The browser is not notified any more.
    case remove(String)

    /// The longest name of a browser, in bytes.
    public static let longestName = 100
}

/// The answer to an order about browsers.
public enum BrowserOutcome: Equatable, Sendable {
    /// The browser that was added, changed or removed.
    case done(Browser)
    /// The order makes no sense; says why.
    case refused(String)
    /// There is no such person or browser; says which.
    case unknown(String)
}
