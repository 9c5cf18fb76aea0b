import Durable

/// Files of records: valid ones, encoded again, equal the bytes that were read.
enum RecordFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        for coverage in [RecordFrame.Coverage.wholeRecord, .withoutLength] {
            let scan = RecordScan(bytes, coverage: coverage)
            if scan.goodByteCount > bytes.count { return "\(scan.goodByteCount) good bytes of \(bytes.count)" }
            if scan.rest == .nothing, scan.goodByteCount < bytes.count { return "bytes are left that are nothing" }
            guard coverage == .wholeRecord else { continue }
            let again = scan.records.flatMap { RecordFrame.encode($0.payload, sequence: $0.sequence) }
            if again != Array(bytes[..<scan.goodByteCount]) { return "the records come back otherwise" }
        }
        return nil
    }
}
