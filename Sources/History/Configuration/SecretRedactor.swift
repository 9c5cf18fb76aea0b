internal import TLS

/// Replaces secrets in configuration files by keyed hashes, so that no password becomes part of an immutable record
/// while a change of one is still visible.
///
/// Works on the text, because comments and layout are part of the record: values of keys with names of secrets,
/// passwords in URLs, and `password=` in connection strings.
struct SecretRedactor: Sendable {
    private let key: [UInt8]

    /// Names of keys whose values are secrets; a key matches if it equals one, or ends with `_` and one.
    private static let names: Set<String> = [
        "password", "passwd", "secret", "token", "credentials", "bearer_token", "api_key", "apikey", "access_key",
        "secret_key", "private_key", "client_secret", "auth_password", "auth_secret", "service_key", "routing_key",
        "integration_key", "bot_token", "api_url", "slack_api_url", "webhook_url", "user_key",
        "connection", "account_key", "sas_token", "token_id", "password_hash", "consumer_key",
    ]
    /// Names of keys with lists or mappings of which any value may be a secret, such as headers of requests.
    private static let collections: Set<String> = [
        "secrets", "headers", "http_headers", "proxy_connect_header", "basic_auth_users",
    ]
    /// Sections in which a `url` is a secret: whoever knows the address may use it.
    private static let webhooks = [
        "webhook_configs", "googlechat_configs", "incidentio_configs", "calendar", "dead_mans_switch",
    ]
    /// Names that end like a secret but have none: they name a file or a thing.
    private static let harmless: Set<String> = ["root_key", "public_key", "group_key", "label_key"]

    /// Redacts with `key`, which must not leave the node.
    init(key: [UInt8]) {
        self.key = key
    }

    /// `<secret 5f3a…>`: 16 hexadecimal digits of HMAC-SHA256 of the secret.
    func mark(_ secret: some StringProtocol) -> String {
        "<secret \(Hexadecimal.text(HMACSHA256.code(for: Array(secret.utf8), key: key).prefix(8)))>"
    }

    /// `text` without secrets.
    func redacted(_ text: String) -> String {
        var result: [String] = []
        // The indentation of a key whose value is a block of the following lines, and that block.
        var block: (indentation: Int, isCollection: Bool, lines: [Substring])?
        func endBlock() {
            guard let (indentation, _, lines) = block else { return }
            let blank = lines.reversed().prefix { $0.allSatisfy(\.isWhitespace) }
            let content = lines.dropLast(blank.count)
            if !content.isEmpty {
                result.append(String(repeating: " ", count: indentation + 2) + mark(content.joined(separator: "\n")))
            }
            result += blank.reversed().map(String.init)
            block = nil
        }
        // The indentation of the section of webhooks that the line is in.
        var webhooks: Int?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let indentation = line.prefix { $0 == " " }.count
            let isElement = line.dropFirst(indentation).hasPrefix("-")
            if Self.webhooks.contains(where: { line.contains($0 + ":") }) {
                webhooks = indentation
            } else if let outer = webhooks, !line.allSatisfy(\.isWhitespace),
                indentation < outer || indentation == outer && !isElement
            {
                webhooks = nil
            }
            if let open = block,
                line.allSatisfy(\.isWhitespace) || indentation > open.indentation
                    || indentation == open.indentation && isElement && open.isCollection
            {
                block?.lines.append(line)
                continue
            }
            endBlock()
            if let begin = line.firstRange(of: "-----BEGIN "), line[begin.upperBound...].contains("PRIVATE KEY-----") {
                // Whatever its name, and to the end of the lines that belong to it.
                let isNamed = line[..<begin.lowerBound].contains(":")
                result.append(line[..<begin.lowerBound] + mark(line[begin.lowerBound...]))
                block = (isNamed ? indentation : indentation - 1, false, [])
                continue
            }
            let (redacted, opened) = redactedLine(line, isInWebhooks: webhooks != nil)
            result.append(redacted)
            // A key after the dash of an element is further in than the dash.
            let column = indentation + (isElement ? 2 : 0)
            let isComment = line.dropFirst(indentation).hasPrefix("#")
            if let opened, !isComment { block = (column, opened == .collection, []) }
        }
        endBlock()
        return result.joined(separator: "\n")
    }

    /// The block that a line opens; its content is in the lines that follow.
    private enum Opening {
        case text
        case collection
    }

    private func redactedLine(_ line: Substring, isInWebhooks: Bool) -> (text: String, opens: Opening?) {
        var text = ""
        var rest = line
        while let colon = rest.firstIndex(of: ":") {
            let after = rest.index(after: colon)
            let isKey = after == rest.endIndex || rest[after].isWhitespace
            text += rest[..<after]
            let name = Self.key(before: rest[..<colon])
            let isCollection = Self.collections.contains(name)
            guard isKey, isSecret(name) || isCollection || isInWebhooks && name == "url" else {
                rest = rest[after...]
                continue
            }
            let value = rest[after...]
            let blank = value.prefix(while: \.isWhitespace)
            let (secret, tail) = Self.value(value.dropFirst(blank.count), isInFlow: line.contains("{"))
            if secret.first == "|" || secret.first == ">" { return (text + value, .text) }
            if secret.first == "#" || value.allSatisfy(\.isWhitespace) {
                return (withoutPasswords(text + value), isCollection ? .collection : .text)
            }
            // A text may go on in lines that are further in.
            if !line.contains("{"), !isCollection, tail.isEmpty { return (text + blank + mark(secret), .text) }
            text += blank
            if !secret.isEmpty { text += mark(secret) }
            rest = tail
        }
        return (withoutPasswords(text + rest), nil)
    }

    private func isSecret(_ name: String) -> Bool {
        if Self.harmless.contains(name) || name.hasSuffix("_file") { return false }
        if Self.names.contains(name) { return true }
        return ["password", "secret", "token", "credentials", "api_key", "secret_key", "webhook_url", "token_id"]
            .contains {
                name.hasSuffix("_" + $0)
            }
    }

    /// The word before a colon, without quotes and list marks.
    private static func key(before text: Substring) -> String {
        let word = text.reversed().drop(while: \.isWhitespace)
            .prefix { $0.isLetter || $0.isNumber || "_-\"'".contains($0) }
        return String(word.reversed().filter { !"\"'".contains($0) }).lowercased().replacing("-", with: "_")
            .trimmingPrefix { $0 == "_" }.description
    }

    /// The scalar at the start of `text`, and the rest.
    private static func value(_ text: Substring, isInFlow: Bool) -> (Substring, Substring) {
        if let quote = text.first, quote == "\"" || quote == "'" {
            var index = text.index(after: text.startIndex)
            while index < text.endIndex, text[index] != quote {
                if quote == "\"", text[index] == "\\" {
                    index = text.index(index, offsetBy: 2, limitedBy: text.endIndex) ?? text.endIndex
                } else {
                    index = text.index(after: index)
                }
            }
            if index < text.endIndex { index = text.index(after: index) }
            return (text[..<index], text[index...])
        }
        // A whole list or mapping, with those inside it.
        if let open = text.first, open == "[" || open == "{" {
            var depth = 0
            for index in text.indices {
                if "[{".contains(text[index]) { depth += 1 }
                if "]}".contains(text[index]) { depth -= 1 }
                if depth == 0 { return (text[...index], text[text.index(after: index)...]) }
            }
            return (text, text[text.endIndex...])
        }
        let end = isInFlow ? text.firstIndex { ",}".contains($0) } ?? text.endIndex : text.endIndex
        return (text[..<end], text[end...])
    }

    /// Replaces `://user:password@` and `password=…`.
    private func withoutPasswords(_ line: String) -> String {
        var text = ""
        var rest = line[...]
        while let scheme = rest.firstRange(of: "://") {
            text += rest[..<scheme.upperBound]
            rest = rest[scheme.upperBound...]
            let authority = rest.prefix { !"/?# \"',".contains($0) }
            guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
                continue
            }
            text += authority[...colon] + mark(authority[authority.index(after: colon)..<at])
            rest = rest[at...]
        }
        text += rest
        var result = ""
        var left = text[...]
        while let equals = left.firstIndex(of: "=") {
            let isPassword = left[..<equals].suffix(8).lowercased() == "password"
            let after = left.index(after: equals)
            result += left[..<after]
            left = left[after...]
            guard isPassword else { continue }
            let secret = left.prefix { !" &\"'".contains($0) }
            result += secret.isEmpty || secret.hasPrefix("<secret") ? String(secret) : mark(secret)
            left = left[secret.endIndex...]
        }
        return result + left
    }
}
