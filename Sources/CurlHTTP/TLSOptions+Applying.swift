internal import CCurl

extension TLSOptions {
    /// Sets the options on a libcurl handle. Returns the first error.
    func apply(to handle: UnsafeMutableRawPointer) -> CURLcode {
        var result = CURLE_OK
        func check(_ code: CURLcode) {
            if code != CURLE_OK, result == CURLE_OK { result = code }
        }
        func set(_ source: Source?, file: CURLoption, text: CURLoption) {
            switch source {
            case .file(let path): unsafe check(ccurl_set_text(handle, file, path))
            case .text(let pem):
                unsafe check(
                    Array(pem.utf8).withUnsafeBytes { unsafe ccurl_set_blob(handle, text, $0.baseAddress, $0.count) })
            case nil: break
            }
        }
        if insecureSkipVerify {
            unsafe check(ccurl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 0))
            unsafe check(ccurl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 0))
        }
        set(authorities, file: CURLOPT_CAINFO, text: CURLOPT_CAINFO_BLOB)
        // Otherwise libcurl would cache the content of the file for a day.
        if case .file = authorities { unsafe check(ccurl_set_long(handle, CURLOPT_CA_CACHE_TIMEOUT, 0)) }
        set(certificate, file: CURLOPT_SSLCERT, text: CURLOPT_SSLCERT_BLOB)
        set(key, file: CURLOPT_SSLKEY, text: CURLOPT_SSLKEY_BLOB)
        unsafe check(ccurl_set_long(handle, CURLOPT_SSLVERSION, versions))
        return result
    }

    private var versions: Int {
        let minimum =
            switch minimumVersion {
            case .tls10: CURL_SSLVERSION_TLSv1_0
            case .tls11: CURL_SSLVERSION_TLSv1_1
            case .tls12: CURL_SSLVERSION_TLSv1_2
            case .tls13: CURL_SSLVERSION_TLSv1_3
            }
        let maximum =
            switch maximumVersion {
            case .tls10: CURL_SSLVERSION_MAX_TLSv1_0
            case .tls11: CURL_SSLVERSION_MAX_TLSv1_1
            case .tls12: CURL_SSLVERSION_MAX_TLSv1_2
            case .tls13: CURL_SSLVERSION_MAX_TLSv1_3
            case nil: CURL_SSLVERSION_MAX_NONE
            }
        return Int(minimum) | Int(maximum)
    }
}
