"""What the formats of several systems are made of: protobuf's wire format, and encoded parts remembered."""
