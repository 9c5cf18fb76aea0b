internal import MetricModel
internal import Runtime
internal import YAML

extension TokenIssuer {
    /// Reads an issuer of the access file.
    init(_ fields: inout FieldReader) throws(YAMLError) {
        self.init(try fields.text("issuer"))
        guard issuer.hasPrefix("https://") || issuer.hasPrefix("http://"), !issuer.hasSuffix("/") else {
            throw fields.fault(
                "must be the URL that tokens name as their issuer, without a slash at its end",
                at: fields.optional("issuer"), field: "issuer")
        }
        audiences = try fields.textList("audience")
        nameClaim = try fields.optionalText("name_claim") ?? nameClaim
        rolesClaim = try fields.optionalText("roles_claim") ?? ""
        levelClaim = try fields.optionalText("level_claim") ?? ""
        for text in try fields.textList("roles") {
            defaultRoles.insert(try AccessPolicy.role(text, "roles", &fields))
        }
        if let node = fields.optional("group_roles") {
            var groups = try FieldReader(node, path: fields.path(of: "group_roles"), file: fields.file)
            for group in groups.names {
                var given: Set<Role> = []
                for text in try groups.textList(group) { given.insert(try AccessPolicy.role(text, group, &groups)) }
                roles[group] = given
            }
            try groups.finish()
        }
        if let text = try fields.optionalText("clock_skew") {
            guard let skew = Milliseconds(parsing: text), skew >= .zero, skew <= .minutes(5) else {
                throw fields.fault(
                    "must be a duration of 0s to 5m", at: fields.optional("clock_skew"), field: "clock_skew")
            }
            skewSeconds = skew.rawValue / 1000
        }
        let directory = Paths.directory(of: fields.file)
        keyFile = try Self.readableFile("jwks_file", &fields)
        authorityFile = try Self.readableFile("ca_file", &fields)
        if let node = fields.optional("login") { client = try Self.client(node, fields, directory) }
        if let node = fields.optional("token_review") {
            var inner = try FieldReader(node, path: fields.path(of: "token_review"), file: fields.file)
            var url = try inner.text("server")
            while url.hasSuffix("/") { url.removeLast() }
            guard url.hasPrefix("https://") || url.hasPrefix("http://") else {
                throw inner.fault("must be the URL of an API server", at: inner.optional("server"), field: "server")
            }
            let file = Paths.resolve(try inner.text("token_file"), from: directory)
            review = TokenReview.Server(url: url, tokenFile: file)
            try inner.finish()
        }
        guard !audiences.isEmpty || client != nil else {
            throw fields.fault("without an audience, tokens for other programs would count", field: "audience")
        }
        try fields.finish()
    }

    /// The path of a file that is read when a token needs it, but must be there from the start.
    private static func readableFile(_ name: String, _ fields: inout FieldReader) throws(YAMLError) -> String? {
        guard let text = try fields.optionalText(name) else { return nil }
        let path = Paths.resolve(text, from: Paths.directory(of: fields.file))
        guard FileText.read(path) != nil else {
            throw fields.fault("cannot read \(path): \(SystemError.current)", at: fields.optional(name), field: name)
        }
        return path
    }

    private static func client(
        _ node: YAMLNode, _ outer: FieldReader, _ directory: String
    ) throws(YAMLError) -> Client {
        var fields = try FieldReader(node, path: outer.path(of: "login"), file: outer.file)
        var client = Client(id: try fields.text("client_id"), secret: "", scopes: try fields.textList("scopes"))
        if let path = try fields.optionalText("client_secret_file") {
            guard let text = FileText.read(Paths.resolve(path, from: directory)) else {
                throw fields.fault(
                    "cannot read \(path): \(SystemError.current)", at: fields.optional("client_secret_file"),
                    field: "client_secret_file")
            }
            client.secret = String(text.split(whereSeparator: \.isNewline).first ?? "")
        }
        try fields.finish()
        return client
    }
}
