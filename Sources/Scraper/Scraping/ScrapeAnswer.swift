internal import CurlHTTP
internal import Exposition
internal import Runtime
internal import Zlib

/// The result of a request, before it is stored. A value. Its body has one owner, so that it is never copied.
struct ScrapeAnswer: Sendable {
    /// The body to parse, or why there is none.
    enum Body {
        case exposed(ExpositionBody, ExpositionFormat)
        case refused(ScrapeFailure)
        /// Longer than the current limit.
        case tooLong
    }

    /// Why there is no response.
    let failure: HTTPFailure?
    private var response: HTTPResponse
    /// Bytes that decompression took from the budget.
    private var inflatedBytes = 0

    init(_ result: consuming Result<HTTPResponse, HTTPFailure>) {
        switch consume result {
        case .success(let answer):
            failure = nil
            response = answer
        case .failure(let reason):
            failure = reason
            response = HTTPResponse(status: 0)
        }
    }

    /// Whether there is a body to parse.
    var isSuccess: Bool { failure == nil && response.status == 200 }

    /// The status code; 0 without a response.
    var status: Int { response.status }

    /// The length of the body as received.
    var bodyBytes: Int { response.body.count }

    /// The value of a header field.
    subscript(header: String) -> String? { response[header] }

    /// The body. The memory that it took from the budget is not returned.
    mutating func takeBody() -> [UInt8] { response.takeBody() }

    /// Returns the memory of the body to `budget`.
    mutating func settle(_ budget: ByteBudget) {
        budget.give(response.budgeted + inflatedBytes)
    }

    /// The body to parse, decompressed if necessary, not longer than `limit`.
    ///
    /// A body that was not compressed is lent: ``putBack(_:)`` returns it.
    ///
    /// - Parameter isCancelled: checked during decompression. If it returns true, the result must not be used.
    mutating func open(
        _ format: ExpositionFormat, limit: Int, budget: ByteBudget, isCancelled: () -> Bool
    ) -> Body {
        switch self["Content-Encoding"]?.lowercased() {
        case nil, "", "identity":
            guard response.body.count <= limit else { return .tooLong }
            return .exposed(ExpositionBody(takeBody()), format)
        case "gzip", "x-gzip": return inflate(format, limit: limit, budget: budget, isCancelled)
        case let other?: return .refused(ScrapeFailure("unsupported Content-Encoding \"\(other)\""))
        }
    }

    /// Returns the body that ``open(_:limit:budget:isCancelled:)`` lent. A decompressed body is freed.
    mutating func putBack(_ body: consuming ExpositionBody) {
        guard response.body.isEmpty else { return }
        let count = body.count
        var bytes = body.releaseBuffer()
        bytes.removeLast(bytes.count - count)
        response.body = bytes
    }

    private mutating func inflate(
        _ format: ExpositionFormat, limit: Int, budget: ByteBudget, _ isCancelled: () -> Bool
    ) -> Body {
        var taken = 0
        defer { inflatedBytes += taken }
        do throws(DecompressionError) {
            let bytes = try Zlib.decompress(response.body, limit: limit, reserve: ExpositionBody.padding) { growth in
                guard !isCancelled(), budget.take(growth) else { return false }
                taken += growth
                return true
            }
            return .exposed(ExpositionBody(bytes), format)
        } catch {
            switch error {
            case .tooLarge: return .tooLong
            case .damaged: return .refused(ScrapeFailure(error.description))
            case .outOfMemory: return .refused(ScrapeFailure(HTTPFailure.budgetExceeded(budget).message))
            }
        }
    }
}
