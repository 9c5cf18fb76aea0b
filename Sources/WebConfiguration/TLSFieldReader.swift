internal import Runtime
internal import TLS
internal import YAML

/// Reads `tls_server_config`.
struct TLSFieldReader {
    let path: String

    private static let versions: [String: TLSServerConfiguration.Version] = [
        "TLS10": .tls10, "TLS11": .tls11, "TLS12": .tls12, "TLS13": .tls13,
    ]
    private static let groups = ["CurveP256": "P-256", "CurveP384": "P-384", "CurveP521": "P-521", "X25519": "X25519"]
    /// Go's names of the cipher suites up to TLS 1.2, with OpenSSL's. Those of TLS 1.3 are always enabled.
    private static let suites = [
        "TLS_AES_128_GCM_SHA256": "", "TLS_AES_256_GCM_SHA384": "", "TLS_CHACHA20_POLY1305_SHA256": "",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    ]

    func read(_ node: YAMLNode, into configuration: inout WebConfiguration) throws(YAMLError) {
        var fields = try FieldReader(node, path: "tls_server_config", file: path)
        let certificate = try text("cert", &fields, &configuration)
        let key = try text("key", &fields, &configuration)
        let authorities = try text("client_ca", &fields, &configuration)
        let policy = try fields.optionalText("client_auth_type") ?? ""
        let names: [String]? =
            fields.optional("client_allowed_sans") == nil ? nil : try fields.textList("client_allowed_sans")
        var tls = TLSServerConfiguration(certificateChain: certificate ?? "", privateKey: key ?? "")
        try readProtocol(&fields, &tls)
        try fields.finish()
        if certificate == nil, key == nil, authorities == nil, policy.isEmpty { return }
        guard certificate != nil else { throw fields.fault("missing one of cert or cert_file") }
        guard key != nil else { throw fields.fault("missing one of key or key_file") }
        tls.clientAuthentication = try authentication(policy, fields)
        tls.clientAuthorities = authorities ?? ""
        guard authorities == nil || tls.clientAuthentication != .none else {
            throw fields.fault(
                "client CA's have been configured without a Client Auth Policy", field: "client_auth_type")
        }
        if let names {
            guard tls.clientAuthentication == .requireAny || tls.clientAuthentication == .requireAndVerify else {
                throw fields.fault(
                    "client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or "
                        + "RequireAndVerifyClientCert", field: "client_allowed_sans")
            }
            tls.allowedClientNames = names
        }
        tls.applicationProtocols = configuration.allowsHTTP2 ? ["h2", "http/1.1"] : ["http/1.1"]
        configuration.tls = tls
    }

    /// The text of `name`, or of the file in `name` + `_file`. As in the toolkit, a file takes precedence.
    private func text(
        _ name: String, _ fields: inout FieldReader, _ configuration: inout WebConfiguration
    ) throws(YAMLError) -> String? {
        let inline = try fields.optionalText(name)
        guard let file = try fields.optionalText("\(name)_file"), !file.isEmpty else {
            return inline?.isEmpty == true ? nil : inline
        }
        let directory =
            path.utf8.contains(UInt8(ascii: "/")) ? path[...(path.lastIndex(of: "/") ?? path.startIndex)] : ""
        let full = file.hasPrefix("/") ? file : directory + file
        configuration.files.append(full)
        do throws(FileText.ReadError) {
            return String(decoding: try FileText.bytes(full, limit: 4 << 20), as: UTF8.self)
        } catch {
            throw fields.fault("failed to read \(name)_file (\(full)): \(error.description)", field: "\(name)_file")
        }
    }

    private func readProtocol(_ fields: inout FieldReader, _ tls: inout TLSServerConfiguration) throws(YAMLError) {
        tls.minimumVersion = try version("min_version", &fields) ?? .tls12
        tls.maximumVersion = try version("max_version", &fields) ?? .tls13
        tls.prefersServerCipherSuites = try fields.optionalFlag("prefer_server_cipher_suites") ?? true
        for name in try fields.textList("cipher_suites") {
            guard let suite = Self.suites[name] else {
                throw fields.fault("unknown cipher: \(name)", field: "cipher_suites")
            }
            if !suite.isEmpty { tls.cipherSuites.append(suite) }
        }
        for name in try fields.textList("curve_preferences") {
            guard let group = Self.groups[name] else {
                throw fields.fault("unknown curve: \(name)", field: "curve_preferences")
            }
            tls.groups.append(group)
        }
    }

    private func version(
        _ name: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> TLSServerConfiguration.Version? {
        guard let text = try fields.optionalText(name) else { return nil }
        guard let version = Self.versions[text] else { throw fields.fault("unknown TLS version: \(text)", field: name) }
        return version
    }

    private func authentication(
        _ policy: String, _ fields: FieldReader
    ) throws(YAMLError) -> TLSServerConfiguration.ClientAuthentication {
        switch policy {
        case "", "NoClientCert": .none
        case "RequestClientCert": .request
        case "RequireAnyClientCert", "RequireClientCert": .requireAny
        case "VerifyClientCertIfGiven": .verifyIfGiven
        case "RequireAndVerifyClientCert": .requireAndVerify
        default: throw fields.fault("invalid ClientAuth: \(policy)", field: "client_auth_type")
        }
    }
}
