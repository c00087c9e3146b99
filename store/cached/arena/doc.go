// Package arena keeps many small records by key, in memory that the garbage collector never looks into: a million of
// them are some ten thousand pieces without pointers, so that collecting takes the same time however much is kept.
//
// It owns the bound. A record counts as one, and as one more for every kilobyte in it, and together they never count for
// more than the size: whoever does not fit makes others leave, as many as it takes. Nothing is moved, rehashed or swept
// at once: putting something in costs no more than a few steps for itself and for each that leaves.
//
// Who leaves is decided as in S3-FIFO (https://doi.org/10.1145/3600006.3613147), in every shard by itself: what is new
// waits in a tenth of the room, where it is forgotten first unless somebody asks for it, so that a flood of what is
// asked for once costs that tenth and not the rest.
//
// A record is copied in and copied out, with the shard locked, so no reader ever sees the place of a record that has
// left. A key is compared whole, never only by its hash. It must not know what records mean, nor when they end.
package arena
