internal import JSON
internal import MetricModel
internal import Notification
internal import RE2
internal import RuleModel
internal import Runtime
internal import WebCore
internal import WebServer

/// Alerts and their suppressions.
extension AlertmanagerAPI {
    /// `/api/v2/alerts`: firing alerts, sorted by fingerprint.
    func alerts(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        let filter = try AlertFilter(call)
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let queue = sources.notifications()
        let found = queue.alerts(silences: sources.silences().active(at: now), at: now)
        let people = acknowledgements(of: queue, at: now)
        return HTTPServerResponse.jsonList(found.filter { filter.takes($0) && filter.takes(receivers: $0.receivers) }) {
            writer, status in Self.write(status, acknowledgedBy: people[status.alert.labels], into: &writer)
        }
    }

    /// Who acts on alerts, by their labels. Clients of Alertmanager see it as an annotation.
    private func acknowledgements(of queue: NotificationQueue, at now: Timestamp) -> [Labels: String] {
        let known = sources.acknowledgements()
        if known.isEmpty { return [:] }
        var people: [Labels: String] = [:]
        for group in queue.groups(silences: [], at: now) {
            guard let person = known["\(group.receiver)/\(group.key)"] else { continue }
            for status in group.alerts { people[status.alert.labels] = person }
        }
        return people
    }

    /// `/api/v2/alerts/groups`
    func alertGroups(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        let filter = try AlertFilter(call)
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let queue = sources.notifications()
        let people = acknowledgements(of: queue, at: now)
        var groups = queue.groups(silences: sources.silences().active(at: now), at: now)
        groups = groups.filter { filter.takes(receivers: [$0.receiver]) }.compactMap { group in
            var group = group
            group.alerts = group.alerts.filter { filter.takes($0) }
            return group.alerts.isEmpty ? nil : group
        }
        return HTTPServerResponse.jsonList(groups) { writer, group in
            writer.object { writer in
                writer.name("alerts")
                writer.array(group.alerts) {
                    Self.write($1, acknowledgedBy: people[$1.alert.labels], into: &$0)
                }
                writer.member("labels", group.labels)
                writer.name("receiver")
                writer.object { $0.member("name", group.receiver) }
            }
        }
    }

    /// `/api/v2/receivers`
    func receivers(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        HTTPServerResponse.jsonList(sources.notifications().configuration.receivers.keys.sorted()) { writer, name in
            writer.object { $0.member("name", name) }
        }
    }

    /// `/api/v2/status`
    func status(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("cluster")
            writer.object {
                $0.name("peers")
                $0.strings([])
                $0.member("status", "disabled")
            }
            writer.name("config")
            writer.object { $0.member("original", sources.notifications().configuration.shownText) }
            writer.member("uptime", startedAt)
            writer.name("versionInfo")
            writer.object {
                $0.member("branch", build.branch)
                $0.member("buildDate", build.date)
                $0.member("buildUser", "Tribune \(build.version)")
                $0.member("goVersion", build.compiler)
                $0.member("revision", build.revision)
                $0.member("version", BuildInformation.alertmanagerVersion)
            }
        }
        return .json(writer.bytes)
    }

    private static func write(
        _ status: AlertStatus, acknowledgedBy person: String?, into writer: inout JSONWriter
    ) {
        let annotations = status.alert.annotations
        writer.object { writer in
            writer.member(
                "annotations", person.map { annotations.setting("acknowledged_by", to: $0) } ?? annotations)
            writer.member("endsAt", status.alert.endsAt)
            writer.member("fingerprint", status.alert.fingerprint)
            writer.name("receivers")
            writer.array(status.receivers) { writer, name in writer.object { $0.member("name", name) } }
            writer.member("startsAt", status.alert.startsAt)
            writer.name("status")
            writer.object {
                $0.member("inhibitedBy", status.inhibitedBy)
                $0.member("mutedBy", status.mutedBy)
                $0.member("silencedBy", status.silencedBy)
                $0.member("state", status.isSuppressed ? "suppressed" : "active")
            }
            writer.member("updatedAt", status.updatedAt)
            if !status.alert.generatorURL.isEmpty { writer.member("generatorURL", status.alert.generatorURL) }
            writer.member("labels", status.alert.labels)
        }
    }
}

/// The parameters that select alerts.
private struct AlertFilter {
    private let matchers: [LabelMatcher]
    private let receiver: RegularExpression?
    private let active: Bool
    private let silenced: Bool
    private let inhibited: Bool
    private let muted: Bool

    init(_ call: APIRequest) throws(AlertmanagerError) {
        matchers = try AlertmanagerAPI.matchers(call)
        if call["receiver"].isEmpty {
            receiver = nil
        } else {
            do {
                receiver = try RegularExpression(call["receiver"])
            } catch {
                throw .text(status: 400, "failed to parse receiver param: \(error)")
            }
        }
        func flag(_ name: String) -> Bool {
            let text = call[name].lowercased()
            return text.isEmpty || ["true", "1", "yes", "y", "t", "on"].contains(text)
        }
        active = flag("active")
        silenced = flag("silenced")
        inhibited = flag("inhibited")
        muted = flag("muted")
    }

    func takes(_ status: AlertStatus) -> Bool {
        (active || status.isSuppressed) && (silenced || status.silencedBy.isEmpty)
            && (inhibited || status.inhibitedBy.isEmpty) && (muted || status.mutedBy.isEmpty)
            && matchers.allSatisfy { $0.matches(status.alert.labels) }
    }

    func takes(receivers: [String]) -> Bool { receiver.map { receivers.contains(where: $0.matchesWhole) } ?? true }
}
