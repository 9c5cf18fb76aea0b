internal import CCurl

/// The parts of a URL.
struct Location {
    var scheme: String
    /// IPv6 addresses are in brackets.
    var host: String
    var port: String
    /// Host and port; without the port if it is the scheme's default.
    var authority: String
    /// Path and query.
    var target: String
    /// Whether there is a user, a password or the zone of an IPv6 address.
    var hasUserOrZone: Bool
    private let text: String

    init?(_ text: String) {
        guard let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        guard unsafe curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK,
            let scheme = unsafe Self.part(parts, CURLUPART_SCHEME), let host = unsafe Self.part(parts, CURLUPART_HOST),
            let port = unsafe Self.part(parts, CURLUPART_PORT, flags: UInt32(CURLU_DEFAULT_PORT))
        else { return nil }
        let has = { (name: CURLUPart) in unsafe Self.part(parts, name) != nil }
        self.text = text
        self.target =
            unsafe (Self.part(parts, CURLUPART_PATH) ?? "/")
            + (Self.part(parts, CURLUPART_QUERY).map { "?" + $0 } ?? "")
        self.hasUserOrZone = has(CURLUPART_USER) || has(CURLUPART_PASSWORD) || has(CURLUPART_ZONEID)
        self.scheme = scheme
        self.host = host
        self.port = port
        self.authority = unsafe Self.part(parts, CURLUPART_PORT).map { "\(host):\($0)" } ?? host
    }

    func url(withHost name: String) -> String? {
        guard let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        guard unsafe curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK,
            unsafe curl_url_set(parts, CURLUPART_HOST, name, 0) == CURLUE_OK
        else { return nil }
        return unsafe Self.part(parts, CURLUPART_URL)
    }

    /// `reference` resolved against the URL `base`.
    static func resolved(_ reference: String, from base: String) -> String? {
        guard let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        guard unsafe curl_url_set(parts, CURLUPART_URL, base, 0) == CURLUE_OK,
            unsafe curl_url_set(parts, CURLUPART_URL, reference, 0) == CURLUE_OK
        else { return nil }
        return unsafe part(parts, CURLUPART_URL)
    }

    private static func part(_ parts: OpaquePointer, _ part: CURLUPart, flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe curl_url_get(parts, part, &text, flags) == CURLUE_OK, let text = unsafe text else { return nil }
        defer { unsafe curl_free(text) }
        return unsafe String(cString: text)
    }
}
