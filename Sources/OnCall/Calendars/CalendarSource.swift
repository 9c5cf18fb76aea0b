public import ConfigurationFields
public import MetricModel
internal import Runtime
internal import YAML

/// Where the calendar of a schedule is, and how often it is read. A value.
public struct CalendarSource: Equatable, Sendable {
    /// A place.
    public enum Place: Equatable, Sendable {
        case file(String)
        /// An address. It often is a secret itself.
        case url(HTTPSettings.Secret)
    }

    /// The place.
    public var place: Place
    /// The time between two readings.
    public var refresh: Milliseconds
    /// How an address is asked.
    public var http: HTTPSettings

    /// A text that is another one for another place. It may be a secret.
    public var identity: String {
        switch place {
        case .file(let path): path
        case .url(.text(let url)): url
        case .url(.file(let path)): path
        }
    }

    /// The part of the calendar that counts at `now`: enough for shifts that began, and for a year ahead.
    public static func window(at now: Timestamp) -> Range<Timestamp> {
        (now - .hours(24 * 35))..<(now + .hours(24 * 400))
    }

    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let directory = Paths.directory(of: file)
        let local = try fields.optionalText("file")
        let url = try HTTPSettings.secret(&fields, "url", directory)
        switch (local, url) {
        case (let local?, nil): place = .file(Paths.resolve(local, from: directory))
        case (nil, let url?):
            if case .text(let text) = url, !text.hasPrefix("https://"), !text.hasPrefix("http://") {
                throw fields.fault(
                    "expected an address that begins with https:// or http://", at: fields.optional("url"), field: "url"
                )
            }
            place = .url(url)
        case _: throw fields.fault("expected exactly one of file, url, url_file")
        }
        refresh = try fields.optionalDuration("refresh") ?? .minutes(10)
        guard refresh >= .seconds(1), refresh <= .hours(24) else {
            throw fields.fault("must be 1s to 1d", at: fields.optional("refresh"), field: "refresh")
        }
        http = try HTTPSettings.section("http_config", of: &fields, directory: directory) ?? HTTPSettings()
        try fields.finish()
    }
}
