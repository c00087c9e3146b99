// Package seal is Better Auth's symmetricEncrypt and symmetricDecrypt: what it does to tokens at rest, to states kept in a
// cookie and to the session's token inside a state that links accounts. Since 1.7.7 each use has a key of its own,
// derived for its purpose (GHSA-r4xp-prcw-77qf). It is pure.
package seal
