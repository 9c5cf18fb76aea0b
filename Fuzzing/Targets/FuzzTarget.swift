import Exposition

/// The fuzz targets. Each reads arbitrary bytes with one of Tribune's parsers and checks properties of the result.
///
/// A trap or a hang is a finding in itself. Other findings are returned as text.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// PromQL: what parses prints, and the print parses to the same print.
    case expression = "promql-expression"
    /// PromQL: what parses evaluates to a sound value or an error, within limits.
    case evaluation = "promql-evaluation"
    /// Series and values as in PromQL's test scripts.
    case notation = "series-notation"
    /// Prometheus text: a body that is predicted from another reads as it does in full.
    case text = "exposition-text"
    /// OpenMetrics: the same.
    case openMetrics = "exposition-openmetrics"
    /// Delimited metric families: the same.
    case protobuf = "exposition-protobuf"
    /// A snappy-compressed remote-write message, and the message itself.
    case remoteWrite = "remote-write"
    /// Rule files, with their templates.
    case rules = "rule-file"
    /// Templates of annotations, expanded.
    case template = "template"
    /// `prometheus.yml`, with relabelling applied to a label set.
    case configuration = "prometheus-configuration"
    /// YAML documents.
    case yaml = "yaml"
    /// The store's encoding of a column of values.
    case column = "column-codec"
    /// The store's encoding of the values of one slot in a block, and the parts of a block.
    case series = "series-codec"
    /// JSON texts: what parses is written and read back.
    case json = "json"
    /// Files of checksummed records.
    case records = "record-log"
    /// Operations on a store: what was committed is read again, and the store's invariants hold.
    case store = "store-operations"
    /// HTTP/1 requests, in pieces of different sizes.
    case request = "http-request"
    /// Forms and queries: fields are decoded once, in linear time, and what is written is read back.
    case form = "form"
    /// JSON Web Tokens: none that no key has signed is accepted.
    case token = "json-web-token"
    /// The header `Cookie`: it proves nothing that the server has not given.
    case cookie = "cookie"
    /// The file of `--web.config.file`.
    case webConfiguration = "web-configuration"
    /// iCalendar files: shifts are in order, of people, and the same with other line ends.
    case calendar
    /// `oncall.yml`: shifts of schedules leave no hole, and at each moment name who is on call.
    case onCall = "oncall-configuration"
    /// Records of the journal of pages: what is read is written and read back.
    case pages = "page-journal"

    /// Feeds `bytes` to the target.
    ///
    /// - Returns: The violated property, or `nil`.
    public func finding(in bytes: [UInt8]) -> String? {
        switch self {
        case .expression: ExpressionFuzzing.finding(in: bytes)
        case .evaluation: EvaluationFuzzing.finding(in: bytes)
        case .notation: ExpressionFuzzing.notationFinding(in: bytes)
        case .text: ExpositionFuzzing.finding(in: bytes, .text)
        case .openMetrics: ExpositionFuzzing.finding(in: bytes, .openMetrics)
        case .protobuf: ExpositionFuzzing.finding(in: bytes, .protobuf)
        case .remoteWrite: RemoteWriteFuzzing.finding(in: bytes)
        case .rules: FileFuzzing.ruleFinding(in: bytes)
        case .template: FileFuzzing.templateFinding(in: bytes)
        case .configuration: FileFuzzing.configurationFinding(in: bytes)
        case .yaml: FileFuzzing.yamlFinding(in: bytes)
        case .column: ColumnFuzzing.finding(in: bytes)
        case .series: SeriesFuzzing.finding(in: bytes)
        case .json: JSONFuzzing.finding(in: bytes)
        case .records: RecordFuzzing.finding(in: bytes)
        case .store: StoreFuzzing.finding(in: bytes)
        case .request: RequestFuzzing.finding(in: bytes)
        case .form: AccessFuzzing.formFinding(in: bytes)
        case .token: AccessFuzzing.tokenFinding(in: bytes)
        case .cookie: AccessFuzzing.cookieFinding(in: bytes)
        case .webConfiguration: AccessFuzzing.webConfigurationFinding(in: bytes)
        case .calendar: OnCallFuzzing.calendarFinding(in: bytes)
        case .onCall: OnCallFuzzing.configurationFinding(in: bytes)
        case .pages: OnCallFuzzing.journalFinding(in: bytes)
        }
    }
}
