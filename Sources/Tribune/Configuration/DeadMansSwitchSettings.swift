internal import ConfigurationFields
internal import MetricModel
internal import Runtime
internal import YAML

/// The section `dead_mans_switch` of a `tribune.yml`: who is to miss this service when it stands still. A value.
struct DeadMansSwitchSettings: Equatable, Sendable {
    /// The address that is asked for. It often is a secret itself.
    var url: HTTPSettings.Secret
    var http = HTTPSettings()
    /// The time between two pings.
    var every = Milliseconds.minutes(1)
    /// How long the threads have to answer before a ping is left out.
    var within = Milliseconds.seconds(30)

    init(_ node: YAMLNode, file: String, directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "dead_mans_switch", file: file)
        guard let url = try HTTPSettings.secret(&fields, "url", directory) else {
            throw fields.fault("expected url or url_file")
        }
        self.url = url
        if case .text(let text) = url, !text.hasPrefix("https://"), !text.hasPrefix("http://") {
            throw fields.fault(
                "expected an address that begins with https:// or http://", at: fields.optional("url"), field: "url")
        }
        every = try fields.optionalDuration("every") ?? every
        guard every >= .seconds(1), every <= .hours(24) else {
            throw fields.fault("must be 1s to 1d", at: fields.optional("every"), field: "every")
        }
        within = try fields.optionalDuration("within") ?? min(within, every)
        guard within >= .milliseconds(100), within <= every else {
            throw fields.fault("must be 100ms to `every`", at: fields.optional("within"), field: "within")
        }
        http = try HTTPSettings.section("http_config", of: &fields, directory: directory) ?? http
        try fields.finish()
    }
}
