internal import MetricModel
internal import OnCall
internal import Receivers

/// Calls as messages for receivers.
enum CallMessage {
    /// The message of `call`, with links that answer it.
    static func firing(
        _ call: Page.Call, _ entry: PageBook.Entry, links: PageLinks, _ configuration: OnCallConfiguration,
        externalURL: String, at now: Timestamp
    ) -> Message {
        let expires = now + configuration.linkLifetime
        var own = Labels([Label("page", entry.page.id), Label("call", String(call.number))])
        own.set("source", to: entry.problem.source)
        if let person = call.person { own.set("person", to: person) }
        for verb in PageLinks.Verb.allCases {
            let link = PageLinks.Link(
                page: entry.page.id, call: call.number, recipient: call.person ?? call.receiver, verb: verb,
                expires: expires)
            own.set(verb.rawValue, to: "\(externalURL)/oncall/links/\(links.token(link))")
        }
        var message = message(entry, to: call.receiver, own, isResolved: false, at: now)
        message.buttons = ChatAction.Verb.allCases.map { verb in
            let content = PageLinks.Button(page: entry.page.id, verb: verb, expires: expires)
            var button = Message.Button(name: verb.rawValue, title: verb.title, link: own[verb.rawValue])
            if configuration.slackSecret != nil { button.slackValue = links.token(content, of: .slack) }
            if configuration.usesMattermost {
                button.mattermost = ("\(externalURL)/oncall/chat/mattermost", links.token(content, of: .mattermost))
            }
            return button
        }
        return message
    }

    /// The message that somebody acts on `entry`.
    static func acknowledged(_ entry: PageBook.Entry, to receiver: String, at now: Timestamp) -> Message {
        var own = Labels([Label("page", entry.page.id)])
        if let actor = entry.actor { own.set("acknowledged_by", to: actor) }
        var message = message(entry, to: receiver, own, isResolved: false, at: now)
        message.reason = .acknowledged
        return message
    }

    /// The message that `entry` is resolved.
    static func resolved(_ entry: PageBook.Entry, to receiver: String, at now: Timestamp) -> Message {
        var own = Labels([Label("page", entry.page.id)])
        if let actor = entry.actor { own.set("resolved_by", to: actor) }
        return message(entry, to: receiver, own, isResolved: true, at: now)
    }

    /// The message of a digest: an alert for each page, with the counts in the annotation `digest` of all of them.
    static func digest(_ content: DigestContent) -> Message {
        let name = content.digest.name
        let alerts = content.entries.prefix(DigestContent.listed).map { entry in
            var labels = entry.problem.labels
            if labels["alertname"] == nil { labels.set("alertname", to: entry.problem.title) }
            let own: Labels = [
                "summary": entry.problem.title, "page": entry.page.id, "state": entry.page.state.name,
                "digest": content.summary,
            ]
            return MessageAlert(
                labels: labels, annotations: entry.problem.annotations.setting(own), startsAt: entry.page.openedAt,
                endsAt: content.until, isResolved: false, generatorURL: entry.problem.url)
        }
        return Message(
            groupKey: "oncall/digest/\(name)/\(content.until.milliseconds)",
            groupLabels: ["alertname": "Digest \(name)", "digest": content.summary], receiver: content.digest.receiver,
            alerts: alerts)
    }

    /// All messages of a page to a receiver have the same group key, so that a pager makes one incident of them.
    private static func message(
        _ entry: PageBook.Entry, to receiver: String, _ own: Labels, isResolved: Bool, at now: Timestamp
    ) -> Message {
        let problem = entry.problem
        var labels = problem.labels
        if labels["alertname"] == nil { labels.set("alertname", to: problem.title) }
        if labels["severity"] == nil, !problem.severity.isEmpty { labels.set("severity", to: problem.severity) }
        let annotations = problem.annotations.setting("summary", to: problem.title).setting(own)
        return Message(
            groupKey: "oncall/page/\(entry.page.id)",
            groupLabels: Labels([Label("alertname", labels["alertname"] ?? ""), Label("page", entry.page.id)]),
            receiver: receiver,
            alerts: [
                MessageAlert(
                    labels: labels, annotations: annotations, startsAt: entry.page.openedAt, endsAt: now,
                    isResolved: isResolved, generatorURL: problem.url)
            ], reason: isResolved ? .allResolved : .first)
    }
}
