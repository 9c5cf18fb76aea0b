internal import MetricModel
internal import Passwords
internal import Runtime
internal import TLS
public import YAML

/// Reads the access file, which `access_config` of `tribune.yml` names.
///
/// ```yaml
/// hosts: [tribune.example]
/// trusted_proxies: [10.0.0.0/8]
/// this_machine: [observer, responder, write]   # roles or permissions of programs of this machine without credentials
/// everybody: [observer]                        # those of everybody else without credentials
/// limits: {read: {per_minute: 1000, burst: 200}}
/// lockout: {failures: 3, duration: 15m}
/// anomaly: {threshold: 0.8, block: 15m, never_block: [10.1.0.0/16]}
/// users:
/// - {name: alice, password_hash: $2b$…, roles: [operator], plans: [shop-*]}
/// - {name: dashboards, password_hash: $2b$…, roles: [observer], labels: {team: [shop, bank]}}
/// tokens:
/// - {name: ci, hash: 5f3a…, roles: [service], expires: 2027-01-01T00:00:00Z}
/// issuers:
/// - {issuer: https://idp.example, audience: [tribune], roles_claim: groups, group_roles: {sre: [operator]}}
/// certificates:
/// - {name: node-1.example, roles: [service]}
/// ```
extension AccessPolicy {
    /// Reads the file at `path`.
    public static func load(_ path: String) throws(YAMLError) -> AccessPolicy {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 4 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        guard let document = try YAML.document(bytes, file: path) else { return AccessPolicy() }
        return try AccessPolicy(document, file: path)
    }

    private init(_ node: YAMLNode, file: String) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: "", file: file)
        hosts = HostNames(try fields.textList("hosts"))
        trustedProxies = try Self.networks(try fields.textList("trusted_proxies"), "trusted_proxies", &fields)
        if let given = try Self.permissions("this_machine", &fields) { thisMachine = given }
        if let given = try Self.permissions("everybody", &fields) { everybody = given }
        if let node = fields.optional("limits") { try readLimits(node, file: file) }
        if let node = fields.optional("anomaly") { try readAnomaly(node, file: file) }
        if let node = fields.optional("lockout") { try readLockout(node, file: file) }
        try readIdentities(&fields, file: file)
        try fields.finish()
    }

    private mutating func readIdentities(_ fields: inout FieldReader, file: String) throws(YAMLError) {
        for (index, node) in try fields.list("users").enumerated() {
            var inner = try FieldReader(node, path: "users[\(index)]", file: file)
            let hash = try inner.optionalText("password_hash")
            if let hash, !BcryptPasswords.isHash(hash) {
                throw inner.fault("is not a bcrypt hash", at: inner.optional("password_hash"), field: "password_hash")
            }
            users.append(User(try Self.grant(&inner), passwordHash: hash))
        }
        for (index, node) in try fields.list("tokens").enumerated() {
            var inner = try FieldReader(node, path: "tokens[\(index)]", file: file)
            guard let hash = Hexadecimal.bytes(try inner.text("hash")), hash.count == SHA256.byteCount else {
                throw inner.fault(
                    "must be the 64 hexadecimal digits that \"tribune access token\" prints",
                    at: inner.optional("hash"), field: "hash")
            }
            var token = Token(Grant(""), hash: hash)
            if let text = try inner.optionalText("expires") {
                guard let time = RFC3339.milliseconds(parsing: text) else {
                    throw inner.fault(
                        "must be a time such as 2027-01-01T00:00:00Z", at: inner.optional("expires"), field: "expires")
                }
                token.expires = time
            }
            token.grant = try Self.grant(&inner)
            tokens.append(token)
        }
        for (index, node) in try fields.list("certificates").enumerated() {
            var inner = try FieldReader(node, path: "certificates[\(index)]", file: file)
            certificates.append(try Self.grant(&inner))
        }
        for (index, node) in try fields.list("issuers").enumerated() {
            var inner = try FieldReader(node, path: "issuers[\(index)]", file: file)
            issuers.append(try TokenIssuer(&inner))
        }
        for (list, names) in [
            ("users", users.map(\.grant.name)), ("tokens", tokens.map(\.grant.name)),
            ("certificates", certificates.map(\.name)), ("issuers", issuers.map(\.issuer)),
        ] where Set(names).count < names.count {
            throw fields.fault("two entries have the same name", at: fields.optional(list), field: list)
        }
        guard Set(tokens.map(\.hash)).count == tokens.count else {
            throw fields.fault(
                "two entries have the same hash: each program needs a token of its own", at: fields.optional("tokens"),
                field: "tokens")
        }
    }

    /// Name, roles and scope of an identity; nothing else may be left in `fields`.
    private static func grant(_ fields: inout FieldReader) throws(YAMLError) -> Grant {
        var grant = Grant(try fields.text("name"))
        guard (1...200).contains(grant.name.utf8.count) else {
            throw fields.fault("a name has 1 to 200 bytes", at: fields.optional("name"), field: "name")
        }
        for text in try fields.textList("roles") { grant.roles.insert(try role(text, "roles", &fields)) }
        if let level = try fields.optionalInteger("level") { grant.roles.formUnion(Role.roles(ofLevel: level)) }
        guard !grant.roles.isEmpty else { throw fields.fault("\(grant.name) has no role", field: "roles") }
        grant.scope.plans = try fields.textList("plans").map { NamePattern($0) }
        grant.scope.services = try fields.textList("services").map { NamePattern($0) }
        if let node = fields.optional("labels") {
            var inner = try FieldReader(node, path: fields.path(of: "labels"), file: fields.file)
            for name in (node.members ?? []).compactMap(\.key.text) {
                let isList = inner.optional(name)?.elements != nil
                let values = isList ? try inner.textList(name) : [try inner.text(name)]
                // A series without the label has the empty value.
                guard !values.isEmpty, !values.contains("") else {
                    throw inner.fault(
                        "expected one or more values that are not empty", at: inner.optional(name), field: name)
                }
                grant.scope.labels.append(.init(name: name, values: values))
            }
            try inner.finish()
        }
        try fields.finish()
        return grant
    }

    static func role(_ text: String, _ field: String, _ fields: inout FieldReader) throws(YAMLError) -> Role {
        guard let role = Role(rawValue: text) else {
            let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.fault("no role \"\(text)\"; there are \(known)", at: fields.optional(field), field: field)
        }
        return role
    }

    /// A list of roles and permissions; `nil` where it is missing.
    private static func permissions(_ name: String, _ fields: inout FieldReader) throws(YAMLError) -> PermissionSet? {
        guard fields.optional(name) != nil else { return nil }
        var permissions = PermissionSet(.probe)
        for text in try fields.textList(name) {
            if let permission = Permission(rawValue: text) {
                permissions.formUnion(PermissionSet(permission))
            } else {
                permissions.formUnion(try role(text, name, &fields).permissions)
            }
        }
        return permissions
    }

    private mutating func readLimits(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "limits", file: file)
        for requests in RequestClass.allCases {
            guard let node = fields.optional(requests.rawValue) else { continue }
            var inner = try FieldReader(node, path: "limits.\(requests.rawValue)", file: file)
            let rate = TokenBuckets.Rate(
                perMinute: try inner.optionalInteger("per_minute") ?? TokenBuckets.Rate.standard.perMinute,
                burst: try inner.optionalInteger("burst") ?? TokenBuckets.Rate.standard.burst)
            guard (0...10_000_000).contains(rate.perMinute), (1...10_000_000).contains(rate.burst) else {
                throw inner.fault("per_minute must be 0 (no limit) to 10000000, burst 1 to 10000000")
            }
            limits[requests] = rate
            try inner.finish()
        }
        try fields.finish()
    }

    private static func networks(
        _ texts: [String], _ name: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> [NetworkPrefix] {
        var networks: [NetworkPrefix] = []
        for (index, text) in texts.enumerated() {
            guard let prefix = NetworkPrefix(text) else {
                throw fields.fault(
                    "must be an address or a network such as 10.0.0.0/8, not \"\(text)\"",
                    at: fields.optional(name), field: "\(name)[\(index)]")
            }
            networks.append(prefix)
        }
        return networks
    }

    private mutating func readAnomaly(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "anomaly", file: file)
        anomaly.threshold = try fields.optionalNumber("threshold") ?? anomaly.threshold
        guard anomaly.threshold > 0 else {
            throw fields.fault(
                "must be above 0; above 1 blocks nobody", at: fields.optional("threshold"), field: "threshold")
        }
        if let text = try fields.optionalText("block") {
            guard let duration = Milliseconds(parsing: text), duration >= .seconds(1), duration <= .hours(24) else {
                throw fields.fault("must be a duration of 1s to 1d", at: fields.optional("block"), field: "block")
            }
            anomaly.nanoseconds = duration.rawValue * 1_000_000
        }
        neverBlocked = try Self.networks(try fields.textList("never_block"), "never_block", &fields)
        try fields.finish()
    }

    private mutating func readLockout(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "lockout", file: file)
        lockout.failures = try fields.optionalInteger("failures") ?? lockout.failures
        guard (0...1000).contains(lockout.failures) else {
            throw fields.fault("must be 0 (never) to 1000", at: fields.optional("failures"), field: "failures")
        }
        if let text = try fields.optionalText("duration") {
            guard let duration = Milliseconds(parsing: text), duration >= .seconds(1), duration <= .hours(24) else {
                throw fields.fault("must be a duration of 1s to 1d", at: fields.optional("duration"), field: "duration")
            }
            lockout.nanoseconds = duration.rawValue * 1_000_000
        }
        try fields.finish()
    }
}
