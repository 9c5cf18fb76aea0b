public import MetricModel
public import PromQL

/// The question of a rule: the value of an expression at a time.
public struct RuleQuery: Equatable, Sendable {
    /// The expression as PromQL text.
    public var expression: String
    /// The time at which it is evaluated.
    public var time: Timestamp

    /// The value of `expression` at `time`.
    public init(_ expression: String, at time: Timestamp) {
        self.expression = expression
        self.time = time
    }
}

/// Servers that answer the questions of rules in place of the own store, each known by its name. May be used from any
/// thread.
public protocol RuleServers: AnyObject, Sendable {
    /// The answer of the server named `server`. Blocks until there is one, until the server's timeout, or until
    /// `deadline`.
    ///
    /// - Parameters:
    ///   - deadline: nanoseconds of the monotonic clock; later there is no answer.
    ///   - isCancelled: called about once a second; `true` ends the wait.
    /// - Throws: ``RuleFailure/unknown(_:)`` for everything but a whole answer: no data is known then.
    func answer(
        _ query: RuleQuery, of server: String, until deadline: Int64, isCancelled: @escaping @Sendable () -> Bool
    ) throws(RuleFailure) -> QueryValue

    /// All questions of `asker`, such as a group, have been answered, or not because of `failure`.
    func finished(asker: String, of server: String, failure: String?)
}

/// The settings of a query server that matter to the rule engine.
public struct RuleServerSettings: Equatable, Sendable {
    /// The name in rule files.
    public var name: String
    /// How far in the past groups that set no offset run their queries; `nil` for the setting of all groups.
    public var queryOffset: Milliseconds?
    /// Groups that may ask at once.
    public var concurrency: Int
    /// The longest wait for one answer.
    public var timeout: Milliseconds

    /// The server named `name`.
    public init(
        name: String, queryOffset: Milliseconds? = nil, concurrency: Int = 4, timeout: Milliseconds = .seconds(10)
    ) {
        self.name = name
        self.queryOffset = queryOffset
        self.concurrency = concurrency
        self.timeout = timeout
    }
}

/// The questions of one evaluation of a group to its server. A value.
struct RuleServerSession {
    let servers: any RuleServers
    /// The server's name.
    let name: String
    /// When the evaluation has to be over, in nanoseconds of the monotonic clock.
    let deadline: Int64
    let isCancelled: @Sendable () -> Bool

    func value(_ query: RuleQuery) throws(RuleFailure) -> QueryValue {
        try servers.answer(query, of: name, until: deadline, isCancelled: isCancelled)
    }
}

/// The source of the answers for a group: the own store, or a server.
enum RuleSource {
    case store(any Queryable)
    case server(RuleServerSession)

    /// Whether answers may be missing for reasons that have nothing to do with the data.
    var isServer: Bool {
        switch self {
        case .store: false
        case .server: true
        }
    }
}

/// An expression of a rule, prepared for the own store, and as text for a server.
struct RuleExpression {
    let prepared: PreparedQuery
    let text: String

    /// - Parameter isAsked: whether a server is asked.
    init(_ expression: Expression, _ engine: QueryEngine, isAsked: Bool) {
        prepared = engine.prepare(expression)
        text = isAsked ? expression.description : ""
    }

    /// The elements at `time`. Asks once for the whole expression.
    func elements(at time: Timestamp, from source: RuleSource) throws(RuleFailure) -> [VectorElement] {
        switch source {
        case .store(let store):
            let value: QueryValue
            do throws(QueryError) {
                value = try prepared.instant(at: time, from: store).value
            } catch {
                throw RuleFailure(error.description)
            }
            return try ruleElements(of: value, at: time)
        case .server(let session):
            return try ruleElements(of: try session.value(RuleQuery(text, at: time)), at: time)
        }
    }
}
