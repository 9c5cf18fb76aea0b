public import ConfigurationFields
internal import CurlHTTP
public import MetricModel
public import YAML

/// The `global` section of `alertmanager.yml`: defaults of the integrations. A value.
public struct GlobalSettings: Equatable, Sendable {
    /// How long an alert counts as firing after it was last received.
    public var resolveTimeout = Milliseconds.minutes(5)
    /// HTTP client settings for integrations without their own.
    public var http = HTTPSettings()
    var smtp = SMTPDefaults()
    var slackAPIURL: HTTPSettings.Secret?
    var slackAppToken: HTTPSettings.Secret?
    var slackAppURL = "https://slack.com/api/chat.postMessage"
    var pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"
    var opsGenieURL = "https://api.opsgenie.com/"
    var opsGenieKey: HTTPSettings.Secret?
    var weChatURL = "https://qyapi.weixin.qq.com/cgi-bin/"
    var weChatSecret: HTTPSettings.Secret?
    var weChatCorpID = ""
    var victorOpsURL = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    var victorOpsKey: HTTPSettings.Secret?
    var telegramURL = "https://api.telegram.org"
    var telegramToken: HTTPSettings.Secret?
    var webexURL = "https://webexapis.com/v1/messages"
    var rocketChatURL = "https://open.rocket.chat/"
    var rocketChatToken: HTTPSettings.Secret?
    var rocketChatTokenID: HTTPSettings.Secret?
    var mattermostURL: HTTPSettings.Secret?
    var jiraURL: String?

    /// Defaults of mails.
    struct SMTPDefaults: Equatable, Sendable {
        var smarthost: SMTPAddress?
        var from = ""
        var hello = "localhost"
        var user = ""
        var password: HTTPSettings.Secret?
        var secret: HTTPSettings.Secret?
        var identity = ""
        var requiresTLS = true
        var implicitTLS: Bool?
        var tls = TLSOptions()
    }

    /// Alertmanager's defaults.
    public init() {}

    /// Reads the section; `nil` gives the defaults.
    public init(_ node: YAMLNode?, file: String, directory: String) throws(YAMLError) {
        guard let node else { return }
        var fields = try FieldReader(node, path: "global", file: file)
        resolveTimeout = try fields.optionalDuration("resolve_timeout") ?? resolveTimeout
        http = try HTTPSettings.section("http_config", of: &fields, directory: directory) ?? http
        try readSMTP(&fields, directory)
        try readSlack(&fields, directory)
        func url(_ name: String, _ standard: String, _ fields: inout FieldReader) throws(YAMLError) -> String {
            guard let text = try fields.optionalText(name) else { return standard }
            try fields.checkURL(text, name)
            return text
        }
        pagerDutyURL = try url("pagerduty_url", pagerDutyURL, &fields)
        opsGenieURL = try url("opsgenie_api_url", opsGenieURL, &fields)
        opsGenieKey = try fields.secretOrFile("opsgenie_api_key", directory)
        weChatURL = try url("wechat_api_url", weChatURL, &fields)
        weChatSecret = try fields.secretOrFile("wechat_api_secret", directory)
        weChatCorpID = try fields.optionalText("wechat_api_corp_id") ?? ""
        victorOpsURL = try url("victorops_api_url", victorOpsURL, &fields)
        victorOpsKey = try fields.secretOrFile("victorops_api_key", directory)
        telegramURL = try url("telegram_api_url", telegramURL, &fields)
        telegramToken = try fields.secretOrFile("telegram_bot_token", directory)
        webexURL = try url("webex_api_url", webexURL, &fields)
        rocketChatURL = try url("rocketchat_api_url", rocketChatURL, &fields)
        rocketChatToken = try fields.secretOrFile("rocketchat_token", directory)
        rocketChatTokenID = try fields.secretOrFile("rocketchat_token_id", directory)
        mattermostURL = try fields.secretOrFile("mattermost_webhook_url", directory)
        if fields.node["jira_api_url"] != nil { jiraURL = try url("jira_api_url", "", &fields) }
        try fields.finish()
    }

    private mutating func readSMTP(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        smtp.smarthost = try SMTPAddress.optional("smtp_smarthost", of: &fields)
        smtp.from = try fields.optionalText("smtp_from") ?? ""
        smtp.hello = try fields.optionalText("smtp_hello") ?? smtp.hello
        smtp.user = try fields.optionalText("smtp_auth_username") ?? ""
        smtp.password = try fields.secretOrFile("smtp_auth_password", directory)
        smtp.secret = try fields.secretOrFile("smtp_auth_secret", directory)
        smtp.identity = try fields.optionalText("smtp_auth_identity") ?? ""
        smtp.requiresTLS = try fields.optionalFlag("smtp_require_tls") ?? true
        smtp.implicitTLS = try fields.optionalFlag("smtp_force_implicit_tls")
        if let node = fields.optional("smtp_tls_config") {
            smtp.tls = try TLSOptions(
                node, path: fields.path(of: "smtp_tls_config"), file: fields.file, directory: directory)
        }
    }

    private mutating func readSlack(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        slackAppToken = try fields.secretOrFile("slack_app_token", directory)
        slackAPIURL = try fields.secretOrFile("slack_api_url", directory)
        if let url = try fields.optionalText("slack_app_url") {
            try fields.checkURL(url, "slack_app_url")
            slackAppURL = url
        }
        if slackAppToken != nil, let url = slackAPIURL, url != .text(slackAppURL) {
            throw fields.fault(
                "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured"
            )
        }
    }
}

/// Host and port of an SMTP server. A value.
struct SMTPAddress: Equatable, Sendable {
    var host: String
    var port: String

    static func optional(_ name: String, of fields: inout FieldReader) throws(YAMLError) -> SMTPAddress? {
        guard let text = try fields.optionalText(name), !text.isEmpty else { return nil }
        func fault(_ reason: String) -> YAMLError {
            fields.fault("address \(text): \(reason)", at: fields.node[name], field: name)
        }
        guard let colon = text.lastIndex(of: ":") else { throw fault("missing port in address") }
        var host = String(text[..<colon])
        let port = String(text[text.index(after: colon)...])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw fault("too many colons in address")
        }
        guard !port.isEmpty else {
            throw fields.fault("address \"\(text)\": port cannot be empty", at: fields.node[name], field: name)
        }
        return SMTPAddress(host: host, port: port)
    }
}
