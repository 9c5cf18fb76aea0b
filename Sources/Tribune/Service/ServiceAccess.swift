internal import DeploymentGates
internal import Identity
internal import WebCore

extension AccessPolicy {
    /// The policy from flags and configuration, for a service with the URL `url`.
    init(_ settings: ServiceSettings, _ configuration: LoadedConfiguration, _ url: ExternalURL) {
        self = configuration.access
        if let token = settings.commandToken {
            tokens.append(Token(Self.shared("command token", roles: [.admin]), text: token))
            // With a command token, silences and alerts need it too.
            if configuration.file.access == nil { thisMachine = PermissionSet(.probe, .read, .write) }
        }
        if let token = configuration.file.gates.token {
            // The steps of a pipeline also look at targets and alerts.
            let permissions = PermissionSet(.probe, .read, .gate)
            tokens.append(Token(Self.shared("gates token", permissions: permissions), text: token))
        }
        externalOrigin = url.origin
        hosts.insert(url.host)
        hosts.insert(NodeName.host)
        if let (host, _) = try? settings.listenHostAndPort() { hosts.insert(host) }  // a Unix socket has no name
    }

    /// The grant of a token that several people may have.
    private static func shared(_ name: String, roles: Set<Role> = [], permissions: PermissionSet = []) -> Grant {
        var grant = Grant(name, roles: roles, permissions: permissions)
        grant.isShared = true
        return grant
    }
}
