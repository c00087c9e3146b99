package boot

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// A database that accepts connections and says nothing must not collect everybody who asks.
func TestNobodyWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &companion{now: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusInternalServerError)
		})}
		began, w := time.Now(), httptest.NewRecorder()
		go x.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/auth/get-session", nil))
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.Code != http.StatusInternalServerError || time.Since(began) > time.Minute {
			t.Errorf("%d after %v", w.Code, time.Since(began))
		}
	})
}
